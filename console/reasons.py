"""Why an attempt failed, in sentences: what happened, whose side it is on, what to do. One row for each word that its note may hold."""

from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

CLIENT, GATEWAY, PROVIDER = "client", "gateway", "provider"


class Reason(NamedTuple):
    """`happened` has places for the deployment's name and for its status. `remedy` is for a call that nothing else has served."""

    side: str
    happened: Promise
    remedy: Promise


REASONS: dict[str, Reason] = {
    "rate_limited": Reason(
        PROVIDER,
        _("%(name)s let no more calls through%(status)s."),
        _("Send it again later, add a further deployment to the route, or ask the provider for a higher limit."),
    ),
    "overloaded": Reason(PROVIDER, _("%(name)s was overloaded%(status)s."), _("Send it again, or add a further deployment to the route.")),
    "provider_error": Reason(PROVIDER, _("%(name)s failed%(status)s."), _("Send it again, or add a further deployment to the route.")),
    "provider_unreachable": Reason(
        PROVIDER, _("%(name)s could not be reached."), _("Test the deployment: its address, or the network on the way, is at fault.")
    ),
    "provider_connection_lost": Reason(
        PROVIDER, _("The connection to %(name)s broke."), _("Send it again, or add a further deployment to the route.")
    ),
    "provider_timeout": Reason(
        PROVIDER, _("%(name)s did not answer in time."), _("Send it again. Where answers take so long, raise the deployment's time limits.")
    ),
    "upstream_truncated": Reason(PROVIDER, _("%(name)s stopped sending too early."), _("Send it again.")),
    "upstream_unreadable": Reason(
        PROVIDER, _("The answer of %(name)s could not be read."), _("Test the deployment: something else may answer at its address.")
    ),
    "answer_too_large": Reason(PROVIDER, _("The answer of %(name)s was larger than the gateway takes."), _("Ask for less.")),
    "credential_refused": Reason(
        GATEWAY,
        _("%(name)s did not accept the key that the gateway has for it%(status)s."),
        _("Test the credential: its key may be wrong, expired, without credit or without access to the model."),
    ),
    "credential_unusable": Reason(
        GATEWAY, _("The key for %(name)s could not be read."), _("Enter it again, or set what its reference names.")
    ),
    "model_unknown": Reason(
        GATEWAY, _("%(name)s does not know the model%(status)s."), _("Check the deployment's model id and its region.")
    ),
    "address_refused": Reason(
        GATEWAY,
        _("The address of %(name)s lies in a range that is not allowed."),
        _("Correct the deployment's address, or allow its range in TALLYGATE_EGRESS_ALLOW."),
    ),
    "not_served": Reason(
        GATEWAY, _("%(name)s cannot be called as it is set up."), _("Test the deployment: a part of its address is missing or malformed.")
    ),
    "gateway_died": Reason(GATEWAY, _("The gateway's process ended during the call."), _("Send it again.")),
    "not_translatable": Reason(
        CLIENT,
        _("What was asked cannot be said in the dialect of %(name)s."),
        _("Leave it out, or add a deployment to the route that speaks the client's dialect."),
    ),
    "invalid_request": Reason(CLIENT, _("The request is malformed, so %(name)s was not asked."), _("Correct the request.")),
    "prompt_too_long": Reason(
        CLIENT,
        _("The prompt was too long for %(name)s%(status)s."),
        _("Shorten the conversation, or give the route a fallback for long prompts."),
    ),
    "content_refused": Reason(
        CLIENT,
        _("%(name)s refused the content%(status)s."),
        _("Change the request, or give the route a fallback for refused content."),
    ),
    "thinking_refused": Reason(
        PROVIDER,
        _("%(name)s did not accept the thinking in the conversation%(status)s."),
        _("Begin a new conversation."),
    ),
    "request_refused": Reason(
        CLIENT,
        _("%(name)s refused the request%(status)s."),
        _("Correct the request; sent again unchanged it ends the same way."),
    ),
}
