"""MediaPipe's BlazePose (Apache-2.0): its landmark network as a backend that can be fine-tuned to any joints.

A top-down model: it needs the box of each person. The network comes out of a .tflite file of MediaPipe; a checkpoint
holds it as plain values beside its weights, so that only the first training needs that file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_

from fosbury.backends.tflite_network import HINT, Convolution, Network, Step, read_tflite, steps_of
from fosbury.errors import BadInput
from fosbury.inference import blazepose as mediapipe
from fosbury.inference.blazepose import INPUT, LICENCE
from fosbury.inference.checkpoint import plain_weights, read_checkpoint
from fosbury.inference.decode import LANDMARKS
from fosbury.inference.metadata import MOST_JOINTS, ExportModule, ModelMetadata, skeleton_of
from fosbury.machine import default_threads, usable_device
from fosbury.pose import Pose
from fosbury.recipe import Recipe
from fosbury.skeleton import Skeleton
from fosbury.training.checkpoint import write_checkpoint
from fosbury.training.job import TrainingJob
from fosbury.training.progress import Progress
from fosbury.training.run import TrainingRun, checked
from fosbury.training.schedule import learning_rate, moving_average
from fosbury.training.squares import Squares

KIND = "blazepose"
ARCHITECTURES = ("blazepose-lite", "blazepose-full", "blazepose-heavy")
VISIBILITY = 3  # place of its logit among the values of a point
BATCH = 32  # crops in one forward pass of prediction
CLIP = 5.0  # largest norm of the gradient
LEAST = 1e-3  # size below which a tensor does not shrink its steps
LEAST_CHANNEL = 1e-4  # the same of an output channel


class BlazePoseNetwork(nn.Module):
    """The network between RGB in [0, 1] and x, y and confidence of each joint.

    Parameters
    ----------
    steps : sequence of Step
        All but its last layer.
    features : (int, int, int)
        Channels, height and width of what they give.
    joints : int
    """

    def __init__(self, steps: Sequence[Step], features: tuple[int, ...], joints: int):
        super().__init__()
        channels, height, width = features
        self.joints = joints
        self.trunk = Network(steps)
        self.points = nn.Conv2d(channels, 2 * joints, (height, width))
        self.confidence = nn.Conv2d(channels, joints, (height, width))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) in, (B, K, 3) out: x and y in pixels of the input, and a confidence in [0, 1]."""
        features = self.trunk(pictures)
        points = self.points(features).reshape(-1, self.joints, 2)
        confidence = torch.sigmoid(self.confidence(features)).reshape(-1, self.joints, 1)
        return torch.cat([points, confidence], dim=-1)

    def answer(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Points (B, K, 2), and the logit (B, K) of the confidence in them, from which nothing but itself learns.

        The last layer is computed in float32: bfloat16 has steps of a whole pixel.
        """
        features = self.trunk(pictures).float()
        with torch.autocast(features.device.type, enabled=False):
            points = self.points(features).reshape(-1, self.joints, 2)
            return points, self.confidence(features.detach()).flatten(1)


class BlazePose:
    """A checkpoint of BlazePose that answers ``PoseModel``, given the boxes of the people.

    Parameters
    ----------
    path : Path
        A file of this project (``.pt``).
    skeleton : Skeleton, optional
        Not used: the file names its joints.
    image_size : int or (int, int), optional
        Not used: the input is 256 x 256, which the last layer of the network fixes.
    confidence : float
        Not used: it answers for every box.

    Raises
    ------
    BadInput
        If the file is not such a checkpoint.
    """

    licence = LICENCE
    needs_boxes = True
    turns_boxes = True
    temperature = None

    def __init__(
        self,
        path: Path,
        skeleton: Skeleton | None = None,
        image_size: int | tuple[int, int] | None = None,
        confidence: float = 0.05,
        *,
        device: str | None = None,
    ):
        network, self.skeleton, self.architecture = load_network(path)
        self.input_size = INPUT
        self.device = device or usable_device()
        self.network = network.to(torch.device(self.device), memory_format=torch.channels_last)  # type: ignore[call-overload]

    def predict(self, images: Sequence[np.ndarray], boxes: Sequence[np.ndarray] | None = None) -> list[list[Pose]]:
        """Find the joints of the person in each box; see ``PoseModel.predict``."""
        forward = partial(_run, self.network, self.device)
        return LANDMARKS.predict(images, boxes, forward, size=INPUT, joints=len(self.skeleton), batch=BATCH)


def open_model(
    path: Path,
    skeleton: Skeleton | None = None,
    image_size: int | tuple[int, int] | None = None,
    confidence: float = 0.05,
) -> BlazePose:
    """Open a checkpoint; see ``backends.Backend``."""
    return BlazePose(path, skeleton, image_size, confidence)


def _run(network: nn.Module, device: str, batch: np.ndarray) -> np.ndarray:
    torch.set_num_threads(default_threads())
    with torch.inference_mode():
        pictures = torch.from_numpy(batch).to(device).contiguous(memory_format=torch.channels_last)
        return network(pictures).float().cpu().numpy()


def load_network(path: Path) -> tuple[BlazePoseNetwork, Skeleton, str]:
    """Read a checkpoint of this project.

    Parameters
    ----------
    path : Path

    Returns
    -------
    network : BlazePoseNetwork
        In float32 and evaluation mode.
    skeleton : Skeleton
    architecture : str

    Raises
    ------
    BadInput
        If it is absent, damaged, holds anything but tensors and plain values, or is no BlazePose network.
    """
    path = Path(path)
    content = read_checkpoint(path, HINT)
    weights = plain_weights(content.get("state_dict"), path, HINT)
    about = content.get("fosbury")
    if not isinstance(about, dict) or about.get("kind") != KIND or about.get("architecture") not in ARCHITECTURES:
        raise BadInput(path, "is no checkpoint of BlazePose", HINT)
    bias = weights.get("confidence.bias")
    joints = len(bias) if bias is not None and bias.dim() == 1 else 0
    if not 0 < joints <= MOST_JOINTS:
        raise BadInput(path, f"predicts {joints} joints", f"give a model of 1 to {MOST_JOINTS} joints")
    steps, features = steps_of(about.get("steps"), path, INPUT)
    with torch.device("meta"):
        network = BlazePoseNetwork(steps, features, joints)
    blank = network.state_dict()
    if blank.keys() != weights.keys() or any(blank[name].shape != weights[name].shape for name in blank):
        raise BadInput(path, "does not hold the weights of the network that it describes", HINT)
    network.load_state_dict({name: value.float() for name, value in weights.items()}, assign=True)
    return network.eval(), skeleton_of(path, joints, about, None), about["architecture"]


def save_network(network: BlazePoseNetwork, architecture: str, path: Path, skeleton: Skeleton) -> None:
    """Write a network so that the same state gives the same bytes.

    In half precision, and nothing but tensors and plain values.
    """
    weights = {name: value.half().contiguous() for name, value in network.state_dict().items()}
    about = {
        "kind": KIND,
        "architecture": architecture,
        "skeleton": skeleton.to_mapping(),
        "steps": [step.model_dump() for step in network.trunk.steps],
    }
    write_checkpoint({"state_dict": weights, "fosbury": about, "license": LICENCE}, path)


def start_network(weights: Path, architecture: str, skeleton: Skeleton) -> BlazePoseNetwork:
    """Build a network for the joints of a skeleton from weights for others.

    Its last layer is linear: a joint that the weights have keeps its rows, neck and top of the head get the sums of
    rows that ``inference.blazepose`` puts them together by, and any other joint begins as the mean of those that a bone
    ties it to, or else of all.

    Parameters
    ----------
    weights : Path
        MediaPipe's landmark network (``.tflite``), or a checkpoint of this project (``.pt``).
    architecture : str
        What it is; a checkpoint says so itself.
    skeleton : Skeleton

    Raises
    ------
    BadInput
        If they cannot be read, or are of another architecture.
    """
    weights = Path(weights)
    if architecture not in ARCHITECTURES:
        raise BadInput("model.architecture", f"is '{architecture}'", f"choose one of {', '.join(ARCHITECTURES)}")
    if weights.suffix.lower() == ".tflite":
        steps, state, names = _of_mediapipe(weights)
    else:
        given, joints, found = load_network(weights)
        if found != architecture:
            raise BadInput(weights, f"is '{found}', not '{architecture}'", "set model.architecture to what it is")
        steps, state, names = given.trunk.steps, given.state_dict(), joints.joints
    mix = torch.from_numpy(joint_mix(skeleton, names)).float()
    features = state["points.weight"].shape[1:]
    network = BlazePoseNetwork(steps, tuple(features), len(skeleton))
    for part in ("weight", "bias"):
        points, sure = state[f"points.{part}"], state[f"confidence.{part}"]
        state[f"points.{part}"] = _mixed(mix, points.unflatten(0, (len(names), 2))).flatten(0, 1)
        state[f"confidence.{part}"] = _mixed(_shares(mix), sure.unflatten(0, (len(names), 1))).flatten(0, 1)
    network.load_state_dict(state)
    return network.eval()


def _of_mediapipe(path: Path) -> tuple[Sequence[Step], dict[str, torch.Tensor], tuple[str, ...]]:
    """Read steps, weights and joints of MediaPipe's landmark network."""
    whole, size = read_tflite(path)
    last = whole.steps[-1]
    if size != INPUT or not isinstance(last, Convolution) or last.channels[1] != mediapipe.POINTS * mediapipe.VALUES:
        raise BadInput(path, "is another network than BlazePose's for landmarks at 256 x 256", HINT)
    state = {f"trunk.{name}": value for name, value in whole.state_dict().items()}
    weight, bias = (state.pop(f"trunk.layers.{len(whole.steps) - 1}.conv.{part}") for part in ("weight", "bias"))
    landmarks = np.eye(len(mediapipe.LANDMARKS))
    composed = mediapipe.composed(landmarks[..., None])[..., 0].T
    mix = torch.from_numpy(np.concatenate([landmarks, composed])).float()
    for part, values in (("weight", weight), ("bias", bias)):
        by_point = values.reshape(mediapipe.POINTS, mediapipe.VALUES, *values.shape[1:])[: len(landmarks)]
        state[f"points.{part}"] = _mixed(mix, by_point[:, :2]).flatten(0, 1)
        state[f"confidence.{part}"] = _mixed(_shares(mix), by_point[:, VISIBILITY])
    return whole.steps[:-1], state, mediapipe.JOINTS


def _mixed(mix: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Add up rows (N, ...) by ``mix`` (K, N)."""
    return (mix @ rows.reshape(len(rows), -1)).reshape(len(mix), *rows.shape[1:])


def _shares(mix: torch.Tensor) -> torch.Tensor:
    """Leave out what ``mix`` takes away, so that a confidence is a mean of others."""
    return mix.clamp_min(0) / mix.clamp_min(0).sum(1, keepdim=True)


def joint_mix(skeleton: Skeleton, names: Sequence[str]) -> np.ndarray:
    """Say how much of each known joint goes into each joint of a skeleton.

    Parameters
    ----------
    skeleton : Skeleton
    names : sequence of str
        The N joints that are known.

    Returns
    -------
    ndarray, shape (K, N)
        Rows of sum 1.
    """
    place = skeleton.match(names)
    mix = np.zeros((len(skeleton), len(names)))
    known = place >= 0
    mix[known, place[known]] = 1.0
    if not known.any():
        return np.full_like(mix, 1 / len(names))
    everywhere = mix[known].mean(axis=0)
    while not known.all():
        ties = {
            joint: [other for bone in skeleton.bones if joint in bone for other in bone if known[other]]
            for joint in np.flatnonzero(~known)
        }
        tied = {joint: others for joint, others in ties.items() if others} or ties
        for joint, others in tied.items():
            mix[joint] = mix[others].mean(axis=0) if others else everywhere
        known[list(tied)] = True
    return mix


def parameter_groups(network: BlazePoseNetwork, recipe: Recipe) -> list[dict[str, Any]]:
    """Say what the optimizer changes, and how fast: ``scale`` is the rate of a group as a share of the recipe's."""
    groups = []
    for parameter in network.parameters():
        size = float(parameter.detach().square().mean().sqrt()) if recipe.blazepose.relative_step else 1.0
        decay = recipe.weight_decay if parameter.dim() > 1 else 0.0
        group = {"params": [parameter], "scale": max(size, LEAST), "weight_decay": decay}
        if recipe.blazepose.relative_step == "channels" and parameter.dim() > 1:
            over = tuple(range(1, parameter.dim()))
            sizes = parameter.detach().square().mean(dim=over, keepdim=True).sqrt().clamp_min(LEAST_CHANNEL)
            group |= {"scale": 1.0, "channels": sizes}
        groups.append(group)
    return groups


@torch.no_grad()
def relative_step(optimizer: torch.optim.Optimizer) -> None:
    """Make a step in which each output channel of a group with ``channels`` moves by its share of the rate."""
    scaled = [(group["params"][0], group["channels"]) for group in optimizer.param_groups if "channels" in group]
    before = [parameter.clone() for parameter, _ in scaled]
    optimizer.step()
    for (parameter, sizes), old in zip(scaled, before, strict=True):
        parameter.copy_(old + (parameter - old) * sizes.to(parameter.device))


def finetune(job: TrainingJob) -> Path:
    """Fine-tune BlazePose on the labelled boxes; see ``backends.Backend``.

    The input is 256 x 256, whatever the recipe's ``image_size``. The network has no batch normalisation. ``translate``
    is a share of the crop's side.
    """
    device = usable_device()
    job = checked(job, KIND, device)
    recipe, skeleton = job.recipe, job.train.skeleton
    if job.weights is None:
        raise BadInput("model.weights", "is not set, and the network is read from it", HINT)
    torch.manual_seed(job.seed)
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    torch.set_num_threads(default_threads())
    network = start_network(job.weights, job.architecture, skeleton)
    run = TrainingRun(job)
    crops = Squares(
        run.shown, job.root, recipe, size=INPUT, focus=job.focus, around=recipe.blazepose.around, seed=job.seed
    )
    if not len(crops):
        raise BadInput("split 'train'", "has no labelled joint", "label more clips or change split ratios")
    network.to(torch.device(device), memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = moving_average(network, recipe.blazepose.average)
    optimizer = torch.optim.AdamW(parameter_groups(network, recipe), lr=recipe.lr0)
    if run.resumed is not None:
        network.load_state_dict(run.resumed["model"])
        average.load_state_dict(run.resumed["average"])
        optimizer.load_state_dict(run.resumed["optimizer"])
    progress = run.start_progress(-(-len(crops) // recipe.batch))
    boxes = [frame.boxes for frame in run.selection.dataset.frames]
    for epoch in range(run.next_epoch, recipe.epochs):
        loss = _epoch(network, average, optimizer, crops, job=job, epoch=epoch, device=device, progress=progress)
        predict = partial(_run, average.module.eval(), device)
        found = LANDMARKS.predict(run.selection.images, boxes, predict, size=INPUT, joints=len(skeleton), batch=BATCH)
        scores = run.score(found, average.module.state_dict)
        row = {"epoch": epoch + 1, "pose_loss": loss, "lr": learning_rate(recipe, epoch + 1), **scores}
        state = {
            "model": network.state_dict(),
            "average": average.state_dict(),
            "optimizer": optimizer.state_dict(),
        }
        run.end_epoch(row, state)

    def save(best: Mapping[str, torch.Tensor]) -> None:
        network.load_state_dict(best)
        save_network(network.cpu(), job.architecture, job.out, skeleton)

    run.finish(save)
    return job.out


def _epoch(
    network: BlazePoseNetwork,
    average: Any,
    optimizer: torch.optim.Optimizer,
    crops: Squares,
    *,
    job: TrainingJob,
    epoch: int,
    device: str,
    progress: Progress,
) -> float:
    """Train for one pass over the crops; return the mean loss of a batch."""
    recipe = job.recipe
    crops.epoch = epoch
    order = torch.Generator().manual_seed(int(np.random.SeedSequence([job.seed, epoch]).generate_state(1)[0]))
    loader = torch.utils.data.DataLoader(crops, recipe.batch, shuffle=True, generator=order)
    network.train()
    only_the_last = epoch < recipe.blazepose.head_epochs
    network.trunk.freeze(len(network.trunk.layers) if only_the_last else recipe.blazepose.frozen_layers)
    total = 0.0
    for step, batch in enumerate(loader):
        pictures, labels, weight, reach = (part.to(device) for part in batch)
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        rate = learning_rate(recipe, epoch + step / len(loader))
        for group in optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        with torch.autocast(device.partition(":")[0], torch.bfloat16, enabled=bool(recipe.bfloat16)):
            points, sure = network.answer(pictures)
        position, confidence = losses(
            points, sure, labels=labels, weight=weight, reach=reach, tolerance=recipe.blazepose.tolerance
        )
        optimizer.zero_grad()
        (position + confidence).backward()
        for part in (network.confidence.parameters(), [*network.trunk.parameters(), *network.points.parameters()]):
            clip_grad_norm_(part, CLIP)
        relative_step(optimizer)
        average.update_parameters(network)
        total += float(position.detach())
        progress.step(total / (step + 1))
    return total / len(loader)


def losses(
    points: torch.Tensor,
    sure: torch.Tensor,
    *,
    labels: torch.Tensor,
    weight: torch.Tensor,
    reach: torch.Tensor,
    tolerance: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss of the points, and of the confidence in them; means over the joints by their weights.

    Parameters
    ----------
    points : Tensor, shape (B, K, 2)
        Pixels of the input.
    sure : Tensor, shape (B, K)
        Logit of the confidence.
    labels : Tensor, shape (B, K, 2)
    weight : Tensor, shape (B, K)
        0 where nothing is labelled.
    reach : Tensor, shape (B, K)
        Distance in pixels up to which a joint is right.
    tolerance : float
        In sides of the input.

    Returns
    -------
    points : Tensor
        Mean of log(1 + distance / tolerance).
    confidence : Tensor
        Cross entropy of whether the joint is right.
    """
    distance = torch.linalg.vector_norm(points - labels, dim=-1)
    share = weight / weight.sum().clamp_min(1e-6)
    right = (distance.detach() <= reach).float()
    confidence = functional.binary_cross_entropy_with_logits(sure, right, reduction="none")
    return (share * torch.log1p(distance / (INPUT[0] * tolerance))).sum(), (share * confidence).sum()


def export_module(path: Path, image_size: tuple[int, int] | None = None) -> ExportModule:
    """Give a checkpoint ready to be traced; see ``backends.Backend``. The input is 256 x 256, whatever is asked for."""
    network, skeleton, _ = load_network(path)
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    return ExportModule(network, torch.zeros(1, 3, *INPUT), ModelMetadata(skeleton, LICENCE, decoder=LANDMARKS))
