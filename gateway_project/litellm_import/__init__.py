"""Moving in from LiteLLM: its database is read once, mapped without Django, and written with an audit event for every row."""
