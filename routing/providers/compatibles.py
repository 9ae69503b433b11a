"""The table of providers that speak OpenAI's dialects at addresses of their own, under the names that LiteLLM's users write.

One line of data each; `openai_compatible.py` makes providers of them, the configuration file's reader takes the names of keys from here.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Compatible:
    """One provider. A `base` that is a path only belongs to servers that everybody has alone, plain http to programs on this machine.

    `keys` are environment names parted by blanks, the usual one first; `base_name` is that of the address. `messages` is where, on the same
    host, Anthropic's tongue is spoken too (None: nowhere). `header` takes the bare key where that is no bearer. `tells_usage_unasked`:
    streams end with their usage by themselves, and asking for it is an error.
    """

    name: str
    base: str
    keys: str = ""
    base_name: str = ""
    has_responses: bool = False
    messages: str | None = None
    header: str = ""
    tells_usage_unasked: bool = False
    model_prefix: str = ""

    @property
    def is_self_hosted(self) -> bool:
        """Servers that people run themselves often want no key."""
        return not self.base.startswith("https://")


COMPATIBLES = (
    Compatible("abacus", "https://routellm.abacus.ai/v1", "ABACUS_API_KEY", has_responses=True),
    Compatible("abliteration", "https://api.abliteration.ai/v1", "ABLITERATION_API_KEY"),
    Compatible("ai21", "https://api.ai21.com/studio/v1", "AI21_API_KEY"),
    Compatible("ai21_chat", "https://api.ai21.com/studio/v1", "AI21_API_KEY"),
    Compatible("aihubmix", "https://aihubmix.com/v1", "AIHUBMIX_API_KEY"),
    Compatible("aiml", "https://api.aimlapi.com/v1", "AIML_API_KEY"),
    Compatible("amazon_nova", "https://api.nova.amazon.com/v1", "AMAZON_NOVA_API_KEY"),
    Compatible("ambient", "https://api.ambient.xyz/v1", "AMBIENT_API_KEY"),
    Compatible("apertis", "https://api.stima.tech/v1", "STIMA_API_KEY"),
    Compatible("arcee", "https://api.arcee.ai/api/v1", "ARCEEAI_API_KEY"),
    Compatible("assemblyai", "https://llm-gateway.assemblyai.com/v1", "ASSEMBLYAI_API_KEY"),
    Compatible("avian", "https://api.avian.io/v1", "AVIAN_API_KEY"),
    Compatible("baseten", "https://inference.baseten.co/v1", "BASETEN_API_KEY"),
    Compatible("berget", "https://api.berget.ai/v1", "BERGET_API_KEY"),
    Compatible("cerebras", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
    Compatible("charity_engine", "https://api.charityengine.services/remotejobs/v2/inference", "CHARITY_ENGINE_API_KEY"),
    Compatible("chutes", "https://llm.chutes.ai/v1", "CHUTES_API_KEY"),
    Compatible("clarifai", "https://api.clarifai.com/v2/ext/openai/v1", "CLARIFAI_PAT CLARIFAI_API_KEY"),
    # .../accounts/ID/ai/v1
    Compatible("cloudflare", "/", "CLOUDFLARE_API_KEY CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_BASE"),
    Compatible("codestral", "https://codestral.mistral.ai/v1", "CODESTRAL_API_KEY", tells_usage_unasked=True),
    Compatible("cohere", "https://api.cohere.ai/compatibility/v1", "COHERE_API_KEY CO_API_KEY"),
    Compatible("cohere_chat", "https://api.cohere.ai/compatibility/v1", "COHERE_API_KEY CO_API_KEY"),
    Compatible("cometapi", "https://api.cometapi.com/v1", "COMETAPI_KEY"),
    Compatible("compactifai", "https://api.compactif.ai/v1", "COMPACTIFAI_API_KEY"),
    Compatible("cortecs", "https://api.cortecs.ai/v1", "CORTECS_API_KEY"),
    Compatible("crusoe", "https://managed-inference-api-proxy.crusoecloud.com/v1", "CRUSOE_API_KEY"),
    Compatible("custom_openai", "/v1", "CUSTOM_OPENAI_API_KEY", "CUSTOM_OPENAI_API_BASE"),
    Compatible("dashscope", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY"),
    Compatible(
        "databricks", "/serving-endpoints", "DATABRICKS_API_KEY DATABRICKS_TOKEN", "DATABRICKS_API_BASE",
        messages="/serving-endpoints/anthropic",
    ),
    Compatible("deepinfra", "https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY"),
    Compatible("deepseek", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY", messages="/anthropic"),
    Compatible("docker_model_runner", "/engines/v1", "DOCKER_MODEL_RUNNER_API_KEY", "DOCKER_MODEL_RUNNER_API_BASE"),
    Compatible("doubleword", "https://api.doubleword.ai/v1", "DOUBLEWORD_API_KEY"),
    Compatible("empower", "https://app.empower.dev/api/v1", "EMPOWER_API_KEY"),
    Compatible("evroc", "https://models.think.evroc.com/v1", "EVROC_API_KEY"),
    Compatible("fastrouter", "https://go.fastrouter.ai/api/v1", "FASTROUTER_API_KEY"),
    Compatible("featherless_ai", "https://api.featherless.ai/v1", "FEATHERLESS_AI_API_KEY FEATHERLESS_API_KEY"),
    Compatible(
        "fireworks_ai", "https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY FIREWORKS_AI_API_KEY",
        has_responses=True, model_prefix="accounts/fireworks/models/",
    ),
    Compatible("friendliai", "https://api.friendli.ai/serverless/v1", "FRIENDLI_TOKEN FRIENDLIAI_API_KEY"),
    Compatible("galadriel", "https://api.galadriel.com/v1", "GALADRIEL_API_KEY"),
    Compatible("github", "https://models.github.ai/inference", "GITHUB_API_KEY GITHUB_TOKEN"),
    Compatible("gmi", "https://api.gmi-serving.com/v1", "GMI_API_KEY"),
    Compatible("gradient_ai", "https://inference.do-ai.run/v1", "GRADIENT_AI_API_KEY DIGITALOCEAN_ACCESS_TOKEN"),
    Compatible("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY", has_responses=True),
    Compatible("helicone", "https://ai-gateway.helicone.ai/v1", "HELICONE_API_KEY"),
    Compatible("heroku", "/v1", "HEROKU_API_KEY", "HEROKU_API_BASE"),
    Compatible("hosted_vllm", "/v1", "HOSTED_VLLM_API_KEY", "HOSTED_VLLM_API_BASE", has_responses=True, messages=""),
    Compatible("huggingface", "https://router.huggingface.co/v1", "HF_TOKEN HUGGINGFACE_API_KEY", has_responses=True),
    Compatible("hyperbolic", "https://api.hyperbolic.xyz/v1", "HYPERBOLIC_API_KEY"),
    Compatible("inception", "https://api.inceptionlabs.ai/v1", "INCEPTION_API_KEY"),
    Compatible("inceptron", "https://api.inceptron.io/v1", "INCEPTRON_API_KEY"),
    Compatible("infinity", "/", "INFINITY_API_KEY", "INFINITY_API_BASE"),
    Compatible("io_net", "https://api.intelligence.io.solutions/api/v1", "IOINTELLIGENCE_API_KEY"),
    Compatible("ionos", "https://openai.inference.de-txl.ionos.com/v1", "IONOS_API_TOKEN"),
    Compatible("jina_ai", "https://api.jina.ai/v1", "JINA_AI_API_KEY"),
    Compatible("kilo", "https://api.kilo.ai/api/gateway", "KILO_API_KEY"),
    Compatible("lambda_ai", "https://api.lambda.ai/v1", "LAMBDA_API_KEY"),
    Compatible("lemonade", "http://localhost:8000/api/v1", "LEMONADE_API_KEY", "LEMONADE_API_BASE"),
    Compatible("litellm_proxy", "/v1", "LITELLM_PROXY_API_KEY", "LITELLM_PROXY_API_BASE", has_responses=True, messages=""),
    Compatible("llama_cpp", "/v1", "LLAMA_CPP_API_KEY", "LLAMA_CPP_API_BASE"),
    Compatible("llamafile", "http://127.0.0.1:8080/v1", "LLAMAFILE_API_KEY", "LLAMAFILE_API_BASE"),
    Compatible("llamagate", "https://api.llamagate.dev/v1", "LLAMAGATE_API_KEY"),
    Compatible("llmgateway", "https://api.llmgateway.io/v1", "LLMGATEWAY_API_KEY"),
    Compatible("lm_studio", "http://127.0.0.1:1234/v1", "LM_STUDIO_API_KEY", "LM_STUDIO_API_BASE", has_responses=True, messages=""),
    Compatible("localai", "/v1", "LOCALAI_API_KEY", "LOCALAI_API_BASE"),
    Compatible("maritalk", "https://chat.maritaca.ai/api", "MARITALK_API_KEY"),
    Compatible("meganova", "https://api.meganova.ai/v1", "MEGANOVA_API_KEY"),
    Compatible("meta_llama", "https://api.llama.com/compat/v1", "LLAMA_API_KEY"),
    Compatible("minimax", "https://api.minimax.io/v1", "MINIMAX_API_KEY", messages="/anthropic"),
    Compatible("mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY", tells_usage_unasked=True),
    Compatible("mixlayer", "https://models.mixlayer.ai/v1", "MIXLAYER_API_KEY"),
    Compatible("modelscope", "https://api-inference.modelscope.cn/v1", "MODELSCOPE_API_KEY"),
    Compatible("moonshot", "https://api.moonshot.ai/v1", "MOONSHOT_API_KEY", messages="/anthropic"),
    Compatible("morph", "https://api.morphllm.com/v1", "MORPH_API_KEY"),
    Compatible("nano-gpt", "https://nano-gpt.com/api/v1", "NANOGPT_API_KEY NANO_GPT_API_KEY"),
    Compatible("nearai", "https://cloud-api.near.ai/v1", "NEARAI_API_KEY"),
    Compatible("nebius", "https://api.tokenfactory.nebius.com/v1", "NEBIUS_API_KEY"),
    Compatible("neuralwatt", "https://api.neuralwatt.com/v1", "NEURALWATT_API_KEY"),
    Compatible("novita", "https://api.novita.ai/openai", "NOVITA_API_KEY"),
    Compatible("nscale", "https://inference.api.nscale.com/v1", "NSCALE_API_KEY"),
    Compatible("nvidia_nim", "https://integrate.api.nvidia.com/v1", "NVIDIA_NIM_API_KEY NVIDIA_API_KEY"),
    Compatible("ollama", "http://localhost:11434/v1", "OLLAMA_API_KEY", "OLLAMA_API_BASE", has_responses=True, messages=""),
    Compatible("ollama_chat", "http://localhost:11434/v1", "OLLAMA_API_KEY", "OLLAMA_API_BASE", has_responses=True, messages=""),
    Compatible("oobabooga", "/v1", "OOBABOOGA_API_KEY", "OOBABOOGA_API_BASE"),
    Compatible("openai_like", "/v1", "OPENAI_LIKE_API_KEY", "OPENAI_LIKE_API_BASE"),
    Compatible("opencode", "https://opencode.ai/zen/v1", "OPENCODE_API_KEY"),
    Compatible("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY OR_API_KEY", has_responses=True, messages="/api"),
    Compatible("orcarouter", "https://api.orcarouter.ai/v1", "ORCAROUTER_API_KEY"),
    Compatible("ovhcloud", "https://oai.endpoints.kepler.ai.cloud.ovh.net/v1", "OVHCLOUD_API_KEY"),
    Compatible("parasail", "https://api.parasail.io/v1", "PARASAIL_API_KEY"),
    Compatible("perplexity", "https://api.perplexity.ai", "PERPLEXITYAI_API_KEY PERPLEXITY_API_KEY"),
    Compatible("poe", "https://api.poe.com/v1", "POE_API_KEY", has_responses=True),
    Compatible("poolside", "https://inference.poolside.ai/v1", "POOLSIDE_API_KEY"),
    Compatible("portkey", "https://api.portkey.ai/v1", "PORTKEY_API_KEY", header="x-portkey-api-key"),
    Compatible("publicai", "https://api.publicai.co/v1", "PUBLICAI_API_KEY"),
    Compatible("qiniu", "https://api.qnaigc.com/v1", "QINIU_API_KEY"),
    Compatible("regolo", "https://api.regolo.ai/v1", "REGOLO_API_KEY"),
    Compatible("requesty", "https://router.requesty.ai/v1", "REQUESTY_API_KEY"),
    Compatible("sakana", "https://api.sakana.ai/v1", "SAKANA_API_KEY"),
    Compatible("salad_cloud", "https://ai.salad.cloud/v1", "SALAD_CLOUD_API_KEY"),
    Compatible("sambanova", "https://api.sambanova.ai/v1", "SAMBANOVA_API_KEY"),
    Compatible("sarvam", "https://api.sarvam.ai/v1", "SARVAM_API_KEY", header="api-subscription-key"),
    Compatible("scaleway", "https://api.scaleway.ai/v1", "SCW_SECRET_KEY SCALEWAY_API_KEY"),
    Compatible("sglang", "/v1", "SGLANG_API_KEY", "SGLANG_API_BASE"),
    Compatible("siliconflow", "https://api.siliconflow.com/v1", "SILICONFLOW_API_KEY"),
    Compatible("snowflake", "/api/v2/cortex/v1", "SNOWFLAKE_JWT SNOWFLAKE_CORTEX_PAT", "SNOWFLAKE_API_BASE"),
    Compatible("stackit", "https://api.openai-compat.model-serving.eu01.onstackit.cloud/v1", "STACKIT_API_KEY"),
    Compatible("stepfun", "https://api.stepfun.com/v1", "STEPFUN_API_KEY"),
    Compatible("synthetic", "https://api.synthetic.new/openai/v1", "SYNTHETIC_API_KEY"),
    Compatible("text-completion-openai", "https://api.openai.com/v1", "OPENAI_API_KEY"),
    Compatible("tinfoil", "https://inference.tinfoil.sh/v1", "TINFOIL_API_KEY"),
    Compatible("together_ai", "https://api.together.xyz/v1", "TOGETHERAI_API_KEY TOGETHER_API_KEY TOGETHER_AI_API_KEY"),
    Compatible("upstage", "https://api.upstage.ai/v1", "UPSTAGE_API_KEY"),
    Compatible("v0", "https://api.v0.dev/v1", "V0_API_KEY"),
    Compatible("veniceai", "https://api.venice.ai/api/v1", "VENICE_AI_API_KEY VENICE_API_KEY"),
    Compatible(
        "vercel_ai_gateway", "https://ai-gateway.vercel.sh/v1", "VERCEL_AI_GATEWAY_API_KEY AI_GATEWAY_API_KEY",
        has_responses=True, messages="",
    ),
    Compatible("vllm", "/v1", "VLLM_API_KEY", "VLLM_API_BASE", has_responses=True, messages=""),
    Compatible("volcengine", "https://ark.cn-beijing.volces.com/api/v3", "VOLCENGINE_API_KEY ARK_API_KEY", has_responses=True),
    Compatible("voyage", "https://api.voyageai.com/v1", "VOYAGE_API_KEY"),
    Compatible("vultr", "https://api.vultrinference.com/v1", "VULTR_API_KEY"),
    Compatible("wandb", "https://api.inference.wandb.ai/v1", "WANDB_API_KEY"),
    Compatible("xai", "https://api.x.ai/v1", "XAI_API_KEY", has_responses=True),
    Compatible("xiaomi_mimo", "https://api.xiaomimimo.com/v1", "XIAOMI_MIMO_API_KEY XIAOMI_API_KEY"),
    Compatible("xinference", "http://127.0.0.1:9997/v1", "XINFERENCE_API_KEY", "XINFERENCE_API_BASE"),
    Compatible("zai", "https://api.z.ai/api/paas/v4", "ZAI_API_KEY ZHIPU_API_KEY", messages="/api/anthropic"),
    Compatible("zenmux", "https://zenmux.ai/api/v1", "ZENMUX_API_KEY"),
    Compatible("zhipuai", "https://open.bigmodel.cn/api/paas/v4", "ZHIPU_API_KEY ZHIPUAI_API_KEY"),
)  # fmt: skip

BY_NAME = {row.name: row for row in COMPATIBLES}
