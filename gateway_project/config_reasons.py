"""Why a key of a config.yaml has no effect here, where that is known: one sentence per kind, told with the keys it is about."""

import re
from collections.abc import Iterable

NOT_TOLD = "calls are not told to other systems yet"
NOT_SENT = "alerts are written to the outbox and not sent yet"
NOT_KEPT = "answers of models are not kept, so each call goes to its provider"
IS_FIXED = "this is always so here"
TUNES = "it tunes a part of LiteLLM that is not here"
NO_PASSING = "only providers that have a door of their own are passed on to; see the list of addresses"
PER_KEY = "set it on keys, teams and people instead"
SIGN_IN = "signing in and who may do what are set in the environment and in pages"

REASONS = {
    NOT_TOLD: """
        litellm_settings.callbacks litellm_settings.success_callback litellm_settings.failure_callback litellm_settings.service_callbacks
        litellm_settings.s3_callback_params general_settings.s3_callback_params general_settings.arize_callback_params
        general_settings.helicone_callback_params general_settings.langfuse_callback_params general_settings.log_requests
        general_settings.log_responses general_settings.store_prompts_in_spend_logs litellm_settings.turn_off_message_logging
        litellm_settings.redact_user_api_key_info litellm_settings.custom_prometheus_metadata_labels
        litellm_settings.prometheus_metrics_config
        litellm_settings.custom_prometheus_tags litellm_settings.prometheus_initialize_budget_metrics
    """,
    NOT_SENT: """
        general_settings.alerting general_settings.alerting_threshold general_settings.alert_types general_settings.alert_to_webhook_url
        general_settings.alerting_args general_settings.alert_type_config general_settings.spend_report_frequency
    """,
    NOT_KEPT: "litellm_settings.cache litellm_settings.cache_params litellm_settings.enable_redis_auth_cache",
    "parameters are passed on as they came": """
        litellm_settings.drop_params litellm_settings.modify_params model_list[].litellm_params.drop_params
        model_list[].litellm_params.additional_drop_params model_list[].litellm_params.extra_body
    """,
    IS_FIXED: """
        general_settings.enforce_budget general_settings.store_model_in_db general_settings.fail_closed_budget_enforcement
        general_settings.allow_requests_on_db_unavailable general_settings.disable_spend_logs general_settings.disable_spend_updates
        general_settings.disable_reset_budget general_settings.disable_budget_reservation
    """,
    TUNES: """
        general_settings.database_connection_pool_limit general_settings.database_connection_timeout general_settings.proxy_batch_write_at
        general_settings.proxy_budget_rescheduler_min_time general_settings.proxy_budget_rescheduler_max_time
        general_settings.use_redis_transaction_buffer general_settings.user_api_key_cache_ttl general_settings.use_shared_health_check
        litellm_settings.set_verbose litellm_settings.json_logs litellm_settings.telemetry router_settings.set_verbose
        router_settings.routing_strategy_args router_settings.redis_host router_settings.redis_port router_settings.redis_password
        router_settings.redis_url router_settings.redis_db router_settings.retry_after
    """,
    "Redis is set by REDIS_URL": "general_settings.redis_url",
    NO_PASSING: "general_settings.pass_through_endpoints",
    "X-Forwarded-For is believed from TALLYGATE_TRUSTED_PROXIES only": "general_settings.use_x_forwarded_for",
    PER_KEY: """
        litellm_settings.max_user_budget litellm_settings.max_internal_user_budget litellm_settings.internal_user_budget_duration
        litellm_settings.max_end_user_budget litellm_settings.max_end_user_budget_id litellm_settings.default_internal_user_params
        litellm_settings.default_team_params litellm_settings.default_team_settings litellm_settings.default_key_generate_params
        litellm_settings.upperbound_key_generate_params litellm_settings.key_generation_settings litellm_settings.tag_budget_config
        general_settings.max_parallel_requests router_settings.default_max_parallel_requests
        model_list[].litellm_params.max_parallel_requests
    """,
    "budgets hang on keys, teams, people, tags and models": """
        model_list[].litellm_params.max_budget model_list[].litellm_params.budget_duration router_settings.provider_budget_config
    """,
    "a price needs input_cost_per_token and output_cost_per_token": """
        model_list[].litellm_params.input_cost_per_token model_list[].litellm_params.output_cost_per_token
        model_list[].model_info.input_cost_per_token model_list[].model_info.output_cost_per_token
    """,
    "prices are per token": """
        model_list[].litellm_params.input_cost_per_second model_list[].litellm_params.output_cost_per_second
        litellm_settings.cost_discount_config litellm_settings.cost_margin_config
    """,
    "retries are counted for all deployments of a name together": """
        model_list[].litellm_params.max_retries router_settings.retry_policy router_settings.model_group_retry_policy
        router_settings.allowed_fails_policy router_settings.max_fallbacks
    """,
    "names are given to teams and keys by their lists of models": """
        model_list[].litellm_params.tags model_list[].model_info.access_groups model_list[].model_info.team_id
        model_list[].model_info.team_public_model_name router_settings.enable_tag_filtering router_settings.tag_filtering_match_any
        litellm_settings.public_model_groups
    """,
    "what a model is and can do comes from the price list": """
        model_list[].model_info.mode model_list[].model_info.max_tokens model_list[].model_info.max_input_tokens
        model_list[].model_info.max_output_tokens model_list[].model_info.litellm_provider
    """,
    "the built-in demo answers without a provider": "model_list[].litellm_params.mock_response",
    SIGN_IN: """
        general_settings.custom_auth general_settings.custom_sso general_settings.enable_oauth2_auth general_settings.ui_access_mode
        general_settings.allowed_routes general_settings.public_routes general_settings.admin_only_routes
    """,
    "secrets are named where they are used: file:, aws-sm: or vault:": """
        general_settings.key_management_system general_settings.key_management_settings model_list[].litellm_params.litellm_credential_name
    """,
}
_reason_of = {key: reason for reason, keys in REASONS.items() for key in keys.split()}
_remark = re.compile(r" \(.*\Z")


def reason_for(key: str) -> str:
    """Empty where there is nothing to say but that it is so."""
    name = _remark.sub("", key)
    supports = name.startswith("model_list[].model_info.supports_")
    return _reason_of.get("model_list[].model_info.mode" if supports else name, "")


def explained(keys: Iterable[str]) -> list[str]:
    """One line per reason with all its keys; those without one come last."""
    lines: dict[str, list[str]] = {}
    for key in keys:
        lines.setdefault(reason_for(key), []).append(key)
    unexplained = lines.pop("", [])
    told = [f"{', '.join(found)} ({reason})" for reason, found in lines.items()]
    return [*told, ", ".join(unexplained)] if unexplained else told
