"""How a teacher labels training frames: the one class of these settings, in params.yaml as in the code."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from fosbury.recipe import Section, Share
from fosbury.refinement import Margin, VoteSettings

Millimetres = Annotated[float, Field(ge=0, le=2000)]


class Rules(Section):
    """What becomes of a label, and of a joint without one, beside what a teacher says; see ``dataset.relabel``.

    Distances are in longer sides of the person's box. A teacher's trust in a joint falls from 1 to 0 between two
    doubts.

    Attributes
    ----------
    labels : bool
        Use the labels; without them the teacher labels everything.
    clean : bool
        Judge the labels by the teacher; without it each counts 1 as it is.
    pseudo : bool
        Take the teacher's word for joints, people and sets without labels.
    near : float
        Distance up to which a label agrees with the teacher.
    sure : float
        Trust from which on the teacher contradicts a label.
    sides : float
        Arms or legs have their sides swapped where that leaves at most this share of the distance to the teacher.
    repaired : float
        Weight of the teacher's word in the place of a label, or beside a person's other labels, at a trust of 1.
    doubted : float
        Weight of a label with which a teacher of no trust disagrees.
    minor : float
        Share of its weight that the teacher's word keeps for joints that are no end of a limb: face, hands, feet.
    least : float
        Weight below which a joint, and mean weight of the limbs' ends below which a person, is left out.
    sure_mm, doubtful_mm : float
        Expected errors, in mm-equivalents, up to which trust is 1, and from which on it is 0.
    """

    labels: bool = True
    clean: bool = True
    pseudo: bool = True
    near: Share = 0.12
    sure: Annotated[float, Field(gt=0, le=1)] = 0.43
    sides: Share = 0.6
    repaired: Share = 0.5
    doubted: Share = 0.6
    minor: Share = 0.3
    least: Annotated[float, Field(gt=0, le=1)] = 0.1
    sure_mm: Millimetres = 60.0
    doubtful_mm: Millimetres = 300.0

    @model_validator(mode="after")
    def _something_is_learnt(self) -> Rules:
        if not (self.labels or self.pseudo):
            raise ValueError("labels and pseudo should not both be false: nothing would be left to learn from")
        if not self.sure_mm < self.doubtful_mm:
            raise ValueError(f"sure_mm should be below doubtful_mm, and is {self.sure_mm:g}")
        return self


class Teaching(Section):
    """How the training frames are taught.

    Attributes
    ----------
    how : {"none", "vote"}
        Not at all; by the vote of a teacher's turned views.
    weights : str
        The teacher: any model file.
    url, sha256 : str or None
        Where it can be fetched from, and what it must be.
    margin : float
        Side of the square that the teacher is shown, in longer sides of the person's box.
    vote : VoteSettings
    rules : Rules
    fetched_as : str
        The option of conf/model that the teacher is fetched as.
    """

    name: str = ""
    fetched_as: str = ""
    how: Literal["none", "vote"] = "none"
    weights: str
    url: str | None = None
    sha256: str | None = None
    margin: Margin = 1.5
    vote: VoteSettings = VoteSettings()
    rules: Rules = Rules()
