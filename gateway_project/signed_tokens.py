"""Settings of signed tokens → what the data plane knows of them."""

from collections.abc import Sequence

from gateway_project.jwt_settings import TokenSettings
from keys.jwt_people import admit_by_token
from proxy.jwt_callers import Admission, SignedTokens
from proxy.jwt_keys import Keys


def signed_tokens(said: TokenSettings, egress_allow: Sequence[str], default_parallel: int) -> SignedTokens | None:
    """None where no signed token is taken."""
    if not said.is_on:
        return None
    keys = Keys((said.key,) if said.key else (), said.urls, egress_allow, said.ttl_s)
    admission = Admission(admit_by_token, said.default_team, said.email_domain, said.makes_people, default_parallel)
    return SignedTokens(keys, said.trust, said.names, admission)
