// npm @huggingface/transformers, unmodified: takes the tokenizer and the configuration of REPO from the hub at HUB_URL
// (HF_TOKEN, if set, goes along) and prints what they make of a text, as JSON.
import { AutoConfig, AutoTokenizer, env } from "@huggingface/transformers";

const [repo] = process.argv.slice(2);
env.remoteHost = process.env.HUB_URL;
env.cacheDir = process.env.CACHE;
env.allowLocalModels = false;

const tokenizer = await AutoTokenizer.from_pretrained(repo);
const config = await AutoConfig.from_pretrained(repo);
console.log(JSON.stringify({ ids: tokenizer.encode("hello world"), type: config.model_type }));
