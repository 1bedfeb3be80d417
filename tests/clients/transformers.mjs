// npm @huggingface/transformers, unmodified: takes the tokenizer and the configuration of REPO from the hub at HUB_URL and
// prints what they make of a text, as JSON. By itself it sends HF_TOKEN to huggingface.co only; its own `env.fetch` is how a
// program sends one to another hub.
import { AutoConfig, AutoTokenizer, env } from "@huggingface/transformers";

const [repo] = process.argv.slice(2);
env.remoteHost = process.env.HUB_URL;
env.cacheDir = process.env.CACHE;
env.allowLocalModels = false;
const token = process.env.HF_TOKEN;
if (token) {
  env.fetch = (url, options = {}) => {
    const headers = new Headers(options.headers);
    if (new URL(url).origin === new URL(env.remoteHost).origin) headers.set("Authorization", `Bearer ${token}`);
    return fetch(url, { ...options, headers });
  };
}

const tokenizer = await AutoTokenizer.from_pretrained(repo);
const config = await AutoConfig.from_pretrained(repo);
console.log(JSON.stringify({ ids: tokenizer.encode("hello world"), type: config.model_type }));
