# %% [markdown]
# # 16. Several processes
#
# Two processes train one model on two halves of each batch; this lesson builds that by hand from one operation, the
# average of gradients, and shows that the result is the same as that of one process.
#
# One GPU computes one batch at a time. With eight of them you start eight *processes*: each has a whole copy of the
# model, computes the gradient of its own part of the batch, and then they agree on the mean. That is all of
# *distributed data parallel* training. It needs no GPU: two processes on a CPU do the same, with the library `gloo`
# for the talk between them.

# %%
import json
import os
import socket
import subprocess
import sys

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from torchworks.lessons import save_figure
from torchworks.lessons.figures import folder_of

# %% [markdown]
# ## Why the mean of two gradients is the gradient of the whole batch
#
# The loss of a batch is the mean over its samples. The gradient of a mean is the mean of the gradients. So if two
# halves are of the same size, the mean of their gradients is the gradient of the batch, but for rounding. We check it
# in one process first.

# %%
digits = load_digits()
x = torch.tensor(digits.data, dtype=torch.float32) / 16
y = torch.tensor(digits.target)


def make_model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


def gradient(rows: slice) -> torch.Tensor:
    """All gradients of a new model for these rows, in one vector."""
    model = make_model()
    F.cross_entropy(model(x[rows]), y[rows]).backward()
    return torch.cat([p.grad.flatten() for p in model.parameters()])


whole = gradient(slice(0, 64))
halves = (gradient(slice(0, 32)) + gradient(slice(32, 64))) / 2
uneven = (gradient(slice(0, 48)) + gradient(slice(48, 64))) / 2
off = (halves - whole).abs().max().item(), (uneven - whole).abs().max().item()
print(f"halves differ from the whole by {off[0]:.1e}, uneven parts by {off[1]:.1e}")
assert torch.allclose(halves, whole, atol=1e-6)
assert not torch.allclose(uneven, whole, atol=1e-4)

# %% [markdown]
# Uneven parts are wrong, and raise no error: the few samples of the small part count as much as the many of the other.
# That is why samplers fill up the last batch so that all processes have as many.
#
# ## The worker
#
# Each process runs this same program. What makes them different are four environment variables, and setting them is
# most of what `torchrun` does: `RANK` (who am I?), `WORLD_SIZE` (how many are we?), `MASTER_ADDR` and `MASTER_PORT`
# (where do we meet?). `all_reduce` is the one operation that we need: everybody gives a tensor, everybody gets the sum.

# %%
WORKER = """
import json, sys
import torch
import torch.distributed as dist
from torch import nn
from torch.nn import functional as F

how, out, data = sys.argv[1:]
torch.set_num_threads(1)
dist.init_process_group("gloo")             # reads the four variables and waits until all are there
rank, world = dist.get_rank(), dist.get_world_size()
x, y = torch.load(data, weights_only=True)

torch.manual_seed(0 if how != "seeds" else rank)   # the same seed: the same weights everywhere
model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
if how == "ddp":
    model = nn.parallel.DistributedDataParallel(model)   # averages while backward is still computing
optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
order = torch.Generator().manual_seed(1)    # the same order everywhere, of which each takes its own part
losses, apart = [], []
for step in range(60):
    rows = torch.randperm(len(x), generator=order)[:64]
    mine = rows[rank::world]                # 64 / world of them
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x[mine]), y[mine])
    loss.backward()
    if how in ("by hand", "seeds"):
        for p in model.parameters():
            dist.all_reduce(p.grad)         # the sum over all processes
            p.grad /= world                 # their mean
    optimizer.step()
    mean = loss.detach().clone()
    dist.all_reduce(mean)
    losses.append(mean.item() / world)
    weight = torch.cat([p.detach().flatten() for p in model.parameters()])
    other = weight.clone()
    dist.all_reduce(other)                  # w0 + w1, so w0 - w1 = 2 w0 - sum
    apart.append((2 * weight - other).abs().max().item())
if rank == 0:                               # one process writes, or all write into the same file
    json.dump({"losses": losses, "apart": apart, "weights": weight.tolist()}, open(out, "w"))
dist.barrier()
dist.destroy_process_group()
"""
folder = folder_of("processes")
(folder / "worker.py").write_text(WORKER)
torch.save((x, y), folder / "digits.pt")


def launch(how: str, world: int) -> dict[str, list[float]]:
    """Start `world` processes, as `torchrun --nproc-per-node` would, and return what the first of them wrote."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    out = folder / f"{how.replace(' ', '-')}-{world}.json"
    common = {"WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(folder / "worker.py"), how, str(out), str(folder / "digits.pt")]
    started = [subprocess.Popen(command, env={**os.environ, **common, "RANK": str(rank)}) for rank in range(world)]
    try:
        assert [process.wait() for process in started] == [0] * world
    finally:
        for process in started:  # none may outlive this lesson, however it ends
            process.kill()
            process.wait()
    return json.loads(out.read_text())


# %% [markdown]
# ## One process and two
#
# Four trainings: two processes by hand, two with PyTorch's `DistributedDataParallel`, two that never talk about their
# gradients, and two that talk but start from different seeds. Beside them one process with whole batches, which needs
# no process group, so we do it right here.

# %%
model, order = make_model(), torch.Generator().manual_seed(1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
single = []
for _ in range(60):
    rows = torch.randperm(len(x), generator=order)[:64]
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x[rows]), y[rows])
    loss.backward()
    optimizer.step()
    single.append(loss.item())
weights = torch.cat([p.detach().flatten() for p in model.parameters()])

found = {how: launch(how, 2) for how in ("by hand", "ddp", "silent", "seeds")}
for how, result in found.items():
    from_one = (torch.tensor(result["weights"]) - weights).abs().max().item()
    print(f"{how:<8} differs from one process by {from_one:.1e}; the two from each other by {result['apart'][-1]:.1e}")
    if how in ("by hand", "ddp"):
        assert from_one < 1e-4
        assert result["apart"][-1] < 1e-6
    else:
        assert result["apart"][-1] > 0.01

# %% [markdown]
# By hand and with PyTorch's own class the result is that of one process, to the last digits. The two that never talk
# are two models, each trained on half of the data. The two with different seeds are worse: they apply the same mean
# gradient to different weights, for which it was never computed. Nothing raises an error in either case. Their losses
# even fall. That is why frameworks send the first process's weights to all others at the start.
#
# ## The figure
#
# Left: the loss of one process, and of two by hand: one line, since they agree. Right: how far the weights of the two
# processes are apart. Zero, or they are not training one model.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
left.plot(single, color="tab:gray", linewidth=5, alpha=0.5, label="one process, batches of 64")
left.plot(found["by hand"]["losses"], color="tab:blue", label="two by hand, 32 each")
left.plot(found["seeds"]["losses"], color="tab:red", linestyle=":", label="two that start from different seeds")
left.set(xlabel="step", title="training loss")
left.legend(loc="upper right", fontsize="small")
for (how, result), color in zip(found.items(), ("tab:blue", "tab:green", "tab:orange", "tab:red"), strict=True):
    right.plot(result["apart"], label=how, color=color, linestyle="--" if how == "ddp" else "-")
right.set(xlabel="step", title="largest difference of a weight between the two", yscale="symlog")
right.set_yscale("symlog", linthresh=1e-3)
right.legend()
save_figure(figure, "processes")

# %% [markdown]
# ## What goes wrong
#
# **The program is started without `torchrun`.** Nobody said who is who:
#
# ```python
# import os
# import torch
# import torch.distributed as dist
#
# for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
#     os.environ.pop(name, None)
# dist.init_process_group("gloo")
# ```
# ```text
# ValueError: Error initializing torch.distributed using env:// rendezvous: environment variable RANK expected, but not
# set
# ```
#
# `torchrun --nproc-per-node 2 train.py` sets the variables. For one process alone a file can be the meeting place:
#
# ```python
# import tempfile
#
# place = tempfile.mkdtemp()
# dist.init_process_group("gloo", init_method=f"file://{place}/meet", rank=0, world_size=1)
# ```
#
# **The wrapper hides the model.** `DistributedDataParallel` holds the model as `module`, so that names in a
# `state_dict` get a prefix, and loading it elsewhere fails:
#
# ```python
# model = torch.nn.Linear(2, 2)
# wrapped = torch.nn.parallel.DistributedDataParallel(model)
# print(list(wrapped.state_dict()))
# ```
# ```text
# ['module.weight', 'module.bias']
# ```
#
# Save the model inside:
#
# ```python
# assert list(wrapped.module.state_dict()) == ["weight", "bias"]
# ```
#
# **A sum that was taken for a mean.** `all_reduce` adds; with eight processes the steps are eight times too long:
#
# ```python
# gradient = torch.ones(2)
# dist.all_reduce(gradient)
# gradient /= dist.get_world_size()
# dist.destroy_process_group()
# ```
#
# **One process leaves.** If only rank 0 calls `all_reduce`, it waits for the others for ever (30 minutes by default).
# Every process must call the same operations in the same order: no `if rank == 0:` around them.
#
# ## Exercises
#
# In `lessons/answers/processes.py`; check them with `make check-lesson NAME=processes`. They need no second process:
# the checks play the others.
#
# 1. `my_rows`: which samples are mine, so that all have as many.
# 2. `mean_gradient`: the mean of parts that need not be of the same size.
# 3. `average_gradients`: `all_reduce`, used rightly.
#
# ## Where this lives
#
# - [`shared/training/parallel.py`](../../shared/src/torchworks/shared/training/parallel.py): means and sums over all
#   processes, the same code for one process and for many.
# - [`shared/training/strategy.py`](../../shared/src/torchworks/shared/training/strategy.py): wraps the nets for data
#   parallel training, and unwraps them before they are saved.
# - [`shared/data/order.py`](../../shared/src/torchworks/shared/data/order.py): which process gets which sample, such
#   that a training that is continued goes on with the next one.
