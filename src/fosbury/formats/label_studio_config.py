"""Labelling configuration of Label Studio for a skeleton."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from fosbury.pose import PHASES
from fosbury.skeleton import Skeleton

CONFIG = "labelling_config.xml"
RECTANGLE = "athlete"
OCCLUDED_CHOICE, DOUBTFUL = "occluded", "doubtful"
COLOURS = {"left": "#0072b2", "right": "#d55e00", "": "#000000"}
"""Of the sides; Okabe and Ito's, which colour-blind people tell apart."""


def config(skeleton: Skeleton) -> str:
    """Return the configuration to paste into a project's 'Labeling Interface', 'Code'.

    Parameters
    ----------
    skeleton : Skeleton

    Returns
    -------
    str
        XML: a rectangle for the athlete, a keypoint for each joint, marks of a joint, and phase, label and description
        of the picture. ``model_index`` is what Label Studio's own COCO export needs.
    """
    sides = {index: side for pair in skeleton.pairs for side, index in zip(("left", "right"), pair, strict=True)}
    joints = [
        f'    <Label value={quoteattr(joint)} model_index="{at}" background="{COLOURS[sides.get(at, "")]}"/>'
        for at, joint in enumerate(skeleton.joints)
    ]
    marks = [f'    <Choice value="{mark}"/>' for mark in (OCCLUDED_CHOICE, DOUBTFUL)]
    phases = [f'    <Choice value="{phase}"/>' for phase in PHASES]
    texts = [
        f'  <TextArea name="{name}" toName="image" placeholder="{name}" maxSubmissions="1"/>'
        for name in ("label", "description")
    ]
    lines = [
        "<View>",
        '  <Image name="image" value="$image" zoom="true" zoomControl="true"/>',
        '  <RectangleLabels name="athlete" toName="image">',
        f'    <Label value="{RECTANGLE}" background="#009e73"/>',
        "  </RectangleLabels>",
        '  <KeyPointLabels name="joints" toName="image" strokeWidth="2" opacity="0.8">',
        *joints,
        "  </KeyPointLabels>",
        '  <Choices name="state" toName="image" perRegion="true" choice="multiple" whenTagName="joints">',
        *marks,
        "  </Choices>",
        '  <Choices name="phase" toName="image" choice="single">',
        *phases,
        "  </Choices>",
        *texts,
        "</View>",
    ]
    return "\n".join(lines) + "\n"
