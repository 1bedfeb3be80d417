#!/usr/bin/env python3
"""Train the quick-add model on freshly generated notes; every checkpoint can be resumed.

  train.py                                         from nothing, for a time
  train.py --weights repo/model.safetensors ...    go on from finished weights (the card has the commands that were used)
"""
import argparse
import ctypes
import os
import time

import torch
from torch.nn import functional as F

import generate
from evaluate import load_model
from model import CONFIG, Llama
from tokenizer import END, answer_ids, prompt_ids

WORK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "work")


def keep_freed_memory():
    """Let glibc reuse large buffers instead of asking the kernel for fresh pages every step (much faster here)."""
    try:
        libc = ctypes.CDLL("libc.so.6")
        mmap_max, trim_threshold, top_pad, arena_max = -4, -1, -2, -8
        for option, value in ((mmap_max, 0), (trim_threshold, 2**31 - 1), (top_pad, 256 << 20), (arena_max, 1)):
            libc.mallopt(option, value)
    except OSError:
        pass


class Muon(torch.optim.Optimizer):
    """Momentum whose update is orthogonalised (Newton-Schulz); for the weight matrices of the blocks."""

    def __init__(self, matrices, lr, momentum=0.95, weight_decay=0.02):
        super().__init__(matrices, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            by_shape = {}
            for p in group["params"]:
                by_shape.setdefault(tuple(p.shape), []).append(p)
            for (rows, columns), params in by_shape.items():
                updates = []
                for p in params:
                    buffer = self.state[p].setdefault("buffer", torch.zeros_like(p))
                    buffer.lerp_(p.grad, 1 - group["momentum"])
                    updates.append(p.grad.lerp(buffer, group["momentum"]))
                scale = group["lr"] * max(1, rows / columns) ** 0.5
                for p, update in zip(params, orthogonalise(torch.stack(updates))):
                    p.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-scale)


def orthogonalise(g, steps=5):
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = g.shape[1] > g.shape[2]
    x = g.transpose(1, 2) if tall else g
    x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    for _ in range(steps):
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.transpose(1, 2) if tall else x


def to_batch(examples):
    """Token ids padded with END, and a mask of the positions whose next token belongs to the answer."""
    width = max(len(p) + len(a) for p, a in examples) - 1
    ids = torch.full((len(examples), width), END)
    target = torch.full((len(examples), width), -1)
    for row, (prompt, answer) in enumerate(examples):
        sequence = torch.tensor(prompt + answer)
        ids[row, :len(sequence) - 1] = sequence[:-1]
        target[row, len(prompt) - 1:len(sequence) - 1] = sequence[len(prompt):]
    return ids, target


def encode_pair(note, task):
    return prompt_ids(note), answer_ids(generate.as_json(task))


def average_gradients(parameters, workers):
    """Average the gradients of all worker processes."""
    flat = torch.cat([p.grad.flatten() for p in parameters])
    torch.distributed.all_reduce(flat)
    flat /= workers
    at = 0
    for p in parameters:
        p.grad.copy_(flat[at:at + p.numel()].view_as(p))
        at += p.numel()


def stop_now(wish, workers):
    """True in every worker as soon as one of them wants to stop."""
    if workers == 1:
        return wish
    vote = torch.tensor([float(wish)])
    torch.distributed.all_reduce(vote)
    return vote.item() > 0


def batches(seed, start_step, tokens_per_batch, batches_per_pool=64):
    """Batches of similar length, deterministic in (seed, step)."""
    step = start_step
    while True:
        pool_index, offset = divmod(step, batches_per_pool)
        stream, examples, size = generate.training_notes(f"{seed}:{pool_index}"), [], 0
        while size < tokens_per_batch * batches_per_pool:
            examples.append(encode_pair(*next(stream)))
            size += len(examples[-1][0]) + len(examples[-1][1])
        examples.sort(key=lambda e: len(e[0]) + len(e[1]))
        pool, batch, filled = [], [], 0
        for example in examples:
            batch.append(example)
            filled += len(example[0]) + len(example[1])
            if filled >= tokens_per_batch:
                pool.append(batch)
                batch, filled = [], 0
        generate.random.Random(f"{seed}:{pool_index}").shuffle(pool)
        pool = (pool * 2)[:batches_per_pool]
        for batch in pool[offset:]:
            yield to_batch(batch)
            step += 1


def exact_match(model, notes, batch_size=100):
    """Share of notes whose whole greedy answer is right.

    The greedy answer equals the expected one exactly when every expected token is the most likely one after
    the expected tokens before it, so one pass over the expected answer decides it."""
    examples = [encode_pair(*n) for n in notes]
    order = sorted(range(len(examples)), key=lambda i: len(examples[i][0]) + len(examples[i][1]))
    right = [False] * len(examples)
    model.eval()
    with torch.no_grad():
        for at in range(0, len(order), batch_size):
            rows = order[at:at + batch_size]
            ids, target = to_batch([examples[i] for i in rows])
            good = ((model(ids).argmax(-1) == target) | (target < 0)).all(1)
            for i, ok in zip(rows, good.tolist()):
                right[i] = ok
    model.train()
    return right


def hardest(model, ids, target, share):
    """The rows whose whole answer the model finds least likely; the others have next to nothing left to teach."""
    keep = target >= 0
    losses = torch.zeros(target.shape)
    with torch.no_grad():
        losses[keep] = F.cross_entropy(model(ids, keep).float(), target[keep], reduction="none")
    rows = losses.sum(1).topk(max(1, round(share * len(ids)))).indices
    return ids[rows], target[rows]


def schedule(done, decay, warmup=0.02):
    """Share of the full learning rate at the share `done` of the training: a short rise, level, then a straight line to
    zero at the end."""
    return max(0.0, min(1.0, (done + 0.0002) / warmup, (1 - done) / decay))


class Average:
    """A running average of the weights; forgets old ones at the rate 1 - `decay` a step."""

    def __init__(self, model, decay, saved=None):
        self.decay = decay
        self.weights = saved or {name: value.clone() for name, value in model.state_dict().items()}

    def add(self, model):
        for name, value in model.state_dict().items():
            self.weights[name].lerp_(value, 1 - self.decay)

    def model(self):
        model = Llama(CONFIG)
        model.load_state_dict(self.weights)
        return model


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--minutes", type=float, default=82, help="total training time, over all resumes")
    parser.add_argument("--steps", type=int, help="total steps instead of a time: the same command gives the same training")
    parser.add_argument("--until", type=int, help="stop at this step; to go on with a shorter --steps is to let the rate fall sooner")
    parser.add_argument("--decay", type=float, default=0.6, help="the learning rate falls to zero over this last share")
    parser.add_argument("--weights", help="start from the weights of this safetensors file when there is no checkpoint")
    parser.add_argument("--keep", type=float, default=1.0, help="share of the notes of a step, the hardest ones, to learn from")
    parser.add_argument("--average", type=float, default=0.0, help="keep a running average of the weights with this decay "
                        "a step, for export.py")
    parser.add_argument("--tokens", type=int, default=4000, help="tokens per step and worker, before --keep")
    parser.add_argument("--muon-lr", type=float, default=0.02, help="learning rate of the weight matrices")
    parser.add_argument("--adam-lr", type=float, default=0.003, help="learning rate of embedding and norms")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--workers", type=int, default=2, help="worker processes, one thread each")
    parser.add_argument("--float32", action="store_true", help="no bfloat16 matrix products")
    parser.add_argument("--work", default=WORK, help="folder of the checkpoints")
    parser.add_argument("--fresh", action="store_true", help="start again instead of resuming")
    parser.add_argument("--save-every", type=int, default=100)
    parser.add_argument("--eval-every", type=int, default=250)
    parser.add_argument("--eval-notes", type=int, default=500)
    args = parser.parse_args()

    os.makedirs(args.work, exist_ok=True)
    if args.workers == 1:
        train(0, args)
    else:
        torch.multiprocessing.spawn(train, (args,), nprocs=args.workers)


def train(rank, args):
    keep_freed_memory()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    if args.workers > 1:
        store = torch.distributed.FileStore(os.path.join(args.work, f"workers-{os.getppid()}"), args.workers)
        torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=args.workers)
    checkpoint = os.path.join(args.work, "checkpoint.pt")

    model = Llama(CONFIG)
    matrices = [p for n, p in model.named_parameters() if p.dim() == 2 and "embed" not in n]
    others = [p for n, p in model.named_parameters() if p.dim() != 2 or "embed" in n]
    optimizers = [Muon(matrices, lr=args.muon_lr),
                  torch.optim.AdamW(others, lr=args.adam_lr, betas=(0.9, 0.98), weight_decay=0.0)]
    step, seconds, saved_average = 0, 0.0, None
    if args.weights:
        model.load_state_dict(load_model(args.weights).state_dict())
    if os.path.exists(checkpoint) and not args.fresh:
        state = torch.load(checkpoint)
        model.load_state_dict(state["model"])
        for optimizer, saved in zip(optimizers, state["optimizers"]):
            optimizer.load_state_dict(saved)
        step, seconds, saved_average = state["step"], state["seconds"], state.get("average")
    average = Average(model, args.average, saved_average) if args.average else None
    base_lrs = [args.muon_lr, args.adam_lr]
    if rank == 0:
        print(f"{sum(p.numel() for p in model.parameters())} parameters, from step {step}", flush=True)

    def save():
        state = {"model": model.state_dict(), "optimizers": [o.state_dict() for o in optimizers], "step": step,
                 "seconds": seconds, "config": CONFIG, "average": average.weights if average else None}
        torch.save(state, checkpoint + ".new")
        os.replace(checkpoint + ".new", checkpoint)

    heldout = generate.heldout_notes(args.eval_notes)
    smooth_loss, started = None, time.time()
    for ids, target in batches(f"{args.seed}:{rank}", step, args.tokens):
        done = step / args.steps if args.steps else seconds / (60 * args.minutes)
        if stop_now(done >= 1 or step == args.until, args.workers):
            break
        for optimizer, lr in zip(optimizers, base_lrs):
            for group in optimizer.param_groups:
                group["lr"] = lr * schedule(done, args.decay)
        if args.keep < 1:  # a context of its own: autocast would keep the cast weights, which then get no gradient
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=not args.float32):
                ids, target = hardest(model, ids, target, args.keep)
        keep = target >= 0
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=not args.float32):
            logits = model(ids, keep)
        loss = F.cross_entropy(logits.float(), target[keep])
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        if args.workers > 1:
            average_gradients(matrices + others, args.workers)
        torch.nn.utils.clip_grad_norm_(others, 1.0)
        for optimizer in optimizers:
            optimizer.step()
        if average:
            average.add(model)
        step += 1
        now = time.time()
        seconds, started = seconds + now - started, now
        if rank:
            continue
        smooth_loss = loss.item() if smooth_loss is None else 0.98 * smooth_loss + 0.02 * loss.item()
        if step % 25 == 0:
            print(f"step {step} loss {smooth_loss:.5f} seconds {seconds:.0f}", flush=True)
        if step % args.save_every == 0:
            save()
        if step % args.eval_every == 0:
            for name, tried in [("weights", model)] + ([("average", average.model())] if average else []):
                right = sum(exact_match(tried, heldout)) / len(heldout)
                print(f"step {step} held-out exact match {right:.4f} of {len(heldout)} ({name})", flush=True)
    if rank == 0:
        save()


if __name__ == "__main__":
    main()
