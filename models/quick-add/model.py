"""A small Llama in plain PyTorch; parameter names and layout are those of Hugging Face's LlamaForCausalLM."""
import math

import torch
from torch import nn

from tokenizer import VOCAB_SIZE

CONFIG = {"vocab_size": VOCAB_SIZE, "hidden_size": 128, "intermediate_size": 384, "num_hidden_layers": 6,
          "num_attention_heads": 4, "num_key_value_heads": 4, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
          "max_position_embeddings": 512}


class RMSNorm(nn.Module):
    def __init__(self, size, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(size)), eps

    def forward(self, x):
        x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight
        return x.bfloat16() if torch.is_autocast_cpu_enabled() else x


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        size, self.heads = c["hidden_size"], c["num_attention_heads"]
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(size, size, bias=False) for _ in range(4))

    def forward(self, x, rope, mask):
        batch, length, size = x.shape
        q, k, v = (p(x).view(batch, length, self.heads, -1).transpose(1, 2) for p in (self.q_proj, self.k_proj, self.v_proj))
        q, k = rotate(q, rope), rotate(k, rope)
        scores = torch.baddbmm(mask, q.reshape(-1, length, q.shape[-1]), k.reshape(-1, length, k.shape[-1]).transpose(1, 2),
                               alpha=1 / math.sqrt(q.shape[-1]))
        out = torch.bmm(scores.softmax(-1), v.reshape(-1, length, v.shape[-1]))
        return self.o_proj(out.view(batch, self.heads, length, -1).transpose(1, 2).reshape(batch, length, size))


class MLP(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gate_proj = nn.Linear(c["hidden_size"], c["intermediate_size"], bias=False)
        self.up_proj = nn.Linear(c["hidden_size"], c["intermediate_size"], bias=False)
        self.down_proj = nn.Linear(c["intermediate_size"], c["hidden_size"], bias=False)

    def forward(self, x):
        gate = self.gate_proj(x)
        return self.down_proj(gate * torch.sigmoid(gate) * self.up_proj(x))


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.self_attn, self.mlp = Attention(c), MLP(c)
        self.input_layernorm = RMSNorm(c["hidden_size"], c["rms_norm_eps"])
        self.post_attention_layernorm = RMSNorm(c["hidden_size"], c["rms_norm_eps"])

    def forward(self, x, rope, mask):
        x = x + self.self_attn(self.input_layernorm(x), rope, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Llama(nn.Module):
    """`model.*` names as in Hugging Face; the output layer is the embedding (tied)."""

    def __init__(self, c=CONFIG):
        super().__init__()
        self.config, self.model = c, nn.Module()
        self.model.embed_tokens = nn.Embedding(c["vocab_size"], c["hidden_size"])
        self.model.layers = nn.ModuleList(Block(c) for _ in range(c["num_hidden_layers"]))
        self.model.norm = RMSNorm(c["hidden_size"], c["rms_norm_eps"])
        for name, p in self.named_parameters():
            if p.dim() == 2:
                nn.init.normal_(p, std=0.02 if "embed" in name else p.shape[1] ** -0.5)
                if name.endswith(("o_proj.weight", "down_proj.weight")):
                    nn.init.zeros_(p)

    def forward(self, ids, positions=None):
        """Logits for every position of `ids` (batch, length); or only where the boolean `positions` is true."""
        length = ids.shape[1]
        rope = rope_table(length, self.config["hidden_size"] // self.config["num_attention_heads"], self.config["rope_theta"])
        mask = torch.full((1, length, length), -1e9).triu(1)
        x = self.model.embed_tokens(ids)
        for layer in self.model.layers:
            x = layer(x, rope, mask)
        if positions is not None:
            x = x[positions]
        return self.model.norm(x) @ self.model.embed_tokens.weight.T


def rope_table(length, size, theta):
    angles = torch.outer(torch.arange(length).float(), theta ** (-torch.arange(0, size, 2).float() / size))
    angles = torch.cat([angles, angles], -1)
    return angles.cos(), angles.sin()


def rotate(x, rope):
    cos, sin = rope
    a, b = x.chunk(2, -1)
    return x * cos + torch.cat([-b, a], -1) * sin
