"""`make screenshots`: every page of the menu as each role sees it, taken from a demo of its own by headless Chromium."""
