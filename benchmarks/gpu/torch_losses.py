"""Trains with PyTorch what `bench gpu-losses` trained, from the same weights on the same batches, in fp32 and in bf16
autocast, and prints how far losses lie apart: python3 torch_losses.py FOLDER [NAME]. Exit code 1 if ours are more than
1e-3 of themselves away from PyTorch's in fp32."""
import sys

import numpy as np
import torch
import torch.nn.functional as F

folder = sys.argv[1]
label = sys.argv[2] if len(sys.argv) > 2 else "losses"
LIMIT = 1e-3
device = "cuda" if torch.cuda.is_available() else "cpu"
torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False

settings = dict(line.split() for line in open(f"{folder}/settings.txt"))
heads, layers = int(settings["heads"]), int(settings["layers"])
sequence, micro, steps = int(settings["sequence"]), int(settings["micro"]), int(settings["steps"])
gpt2 = settings["model"] == "gpt2"
ours = [float(line) for line in open(f"{folder}/losses.txt")]
batches = np.fromfile(f"{folder}/batches.i32", "<i4").reshape(steps, 2, micro, sequence)


def parameters():
    values = np.fromfile(f"{folder}/weights.f32", "<f4")
    found, decays, at = {}, [], 0
    for line in open(f"{folder}/parameters.txt"):
        name, dims, decay = line.split()
        shape = [int(d) for d in dims.split(",")]
        count = int(np.prod(shape))
        found[name] = torch.tensor(values[at : at + count].reshape(shape), device=device, requires_grad=True)
        if decay == "decay":
            decays.append(name)
        at += count
    assert at == len(values), (at, len(values))
    return found, decays


def attention(q, k, v):
    b, t, width = q.shape
    q, k, v = (x.view(b, t, -1, width // heads).transpose(1, 2) for x in (q, k, v))
    return q, k, v


def mix(q, k, v):
    o = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=q.shape[1] != k.shape[1])
    return o.transpose(1, 2).flatten(2)


def gpt2_logits(p, ids):
    def norm(x, name):
        return F.layer_norm(x, x.shape[-1:], p[name + ".weight"], p[name + ".bias"], 1e-5)

    def conv(x, name):
        return F.linear(x, p[name + ".weight"].t(), p[name + ".bias"])

    x = F.embedding(ids, p["transformer.wte.weight"]) + p["transformer.wpe.weight"][:sequence]
    for layer in range(layers):
        name = f"transformer.h.{layer}"
        q, k, v = conv(norm(x, name + ".ln_1"), name + ".attn.c_attn").chunk(3, -1)
        x = x + conv(mix(*attention(q, k, v)), name + ".attn.c_proj")
        h = F.gelu(conv(norm(x, name + ".ln_2"), name + ".mlp.c_fc"), approximate="tanh")
        x = x + conv(h, name + ".mlp.c_proj")
    return F.linear(norm(x, "transformer.ln_f"), p["transformer.wte.weight"])


def llama_logits(p, ids):
    def norm(x, name):
        x = x.float()
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * p[name + ".weight"]

    def line(x, name):
        return F.linear(x, p[name + ".weight"])

    head = p["model.layers.0.self_attn.q_proj.weight"].shape[0] // heads
    angle = torch.outer(
        torch.arange(sequence, dtype=torch.float64), 10000.0 ** (-torch.arange(0, head, 2, dtype=torch.float64) / head)
    )
    cos, sin = angle.cos().float().to(device), angle.sin().float().to(device)

    def rope(x):
        a, b = x.float().chunk(2, -1)
        return torch.cat((a * cos - b * sin, b * cos + a * sin), -1).to(x.dtype)

    x = F.embedding(ids, p["model.embed_tokens.weight"])
    for layer in range(layers):
        name = f"model.layers.{layer}"
        y = norm(x, name + ".input_layernorm")
        q, k, v = attention(*(line(y, f"{name}.self_attn.{c}_proj") for c in "qkv"))
        x = x + line(mix(rope(q), rope(k), v), name + ".self_attn.o_proj")
        y = norm(x, name + ".post_attention_layernorm")
        h = F.silu(line(y, name + ".mlp.gate_proj")) * line(y, name + ".mlp.up_proj")
        x = x + line(h, name + ".mlp.down_proj")
    return line(norm(x, "model.norm"), "lm_head")


def train(autocast):
    p, decays = parameters()
    groups = [
        {"params": [p[n] for n in p if n in decays], "weight_decay": 0.1},
        {"params": [p[n] for n in p if n not in decays], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, float(settings["lr"]), betas=(0.9, 0.95), eps=1e-8)
    losses = []
    for step in range(steps):
        ids, targets = (torch.tensor(batches[step, i], dtype=torch.long, device=device) for i in (0, 1))
        with torch.autocast(device, torch.bfloat16, enabled=autocast):
            logits = (gpt2_logits if gpt2 else llama_logits)(p, ids)
        loss = F.cross_entropy(logits.float().flatten(0, 1), targets.flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(p.values()), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
    return losses


def worst(found, expected):
    return max(abs(f / e - 1) for f, e in zip(found, expected))


exact, narrow = train(False), train(True)
print(f"# torch {torch.__version__}; step: ours, torch fp32, torch bf16 autocast")
for step in range(steps):
    print(f"# {step + 1:3d}: {ours[step]:.6f} {exact[step]:.6f} {narrow[step]:.6f}")
print(f"RESULT {label}.first {exact[0]:.5f} nats")
print(f"RESULT {label}.last {exact[-1]:.5f} nats")
print(f"RESULT {label}.ours.difference {worst(ours, exact):.3e} x")
print(f"RESULT {label}.torch-bf16.difference {worst(narrow, exact):.3e} x")
ok = worst(ours, exact) <= LIMIT and exact[-1] < exact[0]
print("# ours are", "within" if ok else "NOT within", LIMIT, "of PyTorch in fp32")
sys.exit(0 if ok else 1)
