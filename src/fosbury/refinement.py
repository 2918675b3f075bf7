"""How people who were found are looked at again: the one class of these settings, in params.yaml as in the code."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fosbury.recipe import Section

How = Literal["none", "zoom", "upright", "vote"]
Margin = Annotated[float, Field(ge=1, le=4)]
UprightLooks = Annotated[int, Field(ge=1, le=4)]


class VoteSettings(Section):
    """How turned views vote on a pose; see ``inference.vote.Vote``.

    Attributes
    ----------
    views : int
        Turned squares, evenly around the circle, that a person is looked at in.
    rounds : int
        Looks that follow each of them, the trunk just found set upright.
    bandwidth : float
        Mean distance of the joints, in longer sides of the person's box, at which the agreement of two candidates has
        fallen to 1/e.
    cheap : float or None
        Distance of the first two views, in the same unit, up to which their mean is taken without the rest; None: the
        rest is always looked at.
    """

    views: Annotated[int, Field(ge=2, le=72)] = 12
    rounds: Annotated[int, Field(ge=0, le=6)] = 1
    bandwidth: Annotated[float, Field(gt=0, le=1)] = 0.05
    cheap: Annotated[float, Field(ge=0, le=1)] | None = None


class Refinement(Section):
    """How a person is looked at again.

    Attributes
    ----------
    how : {"none", "zoom", "upright", "vote"}
        Not at all; from nearer; from nearer and turned upright; in turned views that vote.
    margin : float
        Side of the square that is looked at, in longer sides of the person's box.
    upright_looks : int
        How often `upright` looks: first turned by what the whole picture showed, then by what that look showed.
    vote : VoteSettings
    also : tuple of str
        Other model files whose views vote, too.
    """

    how: How = "none"
    margin: Margin = 1.5
    upright_looks: UprightLooks = 2
    vote: VoteSettings = VoteSettings()
    also: tuple[str, ...] = ()
