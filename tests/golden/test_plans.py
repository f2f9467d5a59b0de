"""Whole plans as text; `UPDATE_GOLDEN=1 pytest tests/golden/test_plans.py` writes them anew."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.builders import SHOP, adopted_release, after_adoption, observed, release

from berthmaster.domain.plan import Plan
from berthmaster.domain.spec import JobMoment, JobSpec, Role, SmokeSpec
from berthmaster.domain.takeover import Redirected, Replaced, TakenPort, Takeover
from berthmaster.planner.adopting import plan_adopt, plan_give_back
from berthmaster.planner.deploy import plan_deploy
from berthmaster.planner.destroy import plan_destroy
from berthmaster.planner.handing_over import plan_hand_back, plan_hand_over
from berthmaster.planner.maintenance import plan_maintenance
from berthmaster.planner.putback import Restore
from berthmaster.planner.rehearsing import plan_copy
from berthmaster.planner.restoring import plan_bring_back, plan_restore
from berthmaster.planner.retiring import plan_retire
from berthmaster.planner.rollback import plan_start_again, plan_switch_back
from berthmaster.planner.state import plan_state_change, state_record
from berthmaster.planner.tenants import plan_departure, plan_remove, plan_suspend, plan_unsuspend
from berthmaster.planner.text import render_plan
from berthmaster.planner.validate import check_plan

FOLDER = Path(__file__).parent / "plans"
PASSED = ("port 127.0.0.1:8090 leads to it",)
INCOMPATIBLE = (JobSpec("migrate", "web", ("migrate",), is_compatible=False, is_migration=True),)
WARM_CACHE = JobSpec("warm-cache", "web", ("warm",), when=JobMoment.AFTER_SWITCH)

TAKEN = (
    Takeover(
        "shop@prod",
        Replaced("id-old-proxy-1", "old-proxy-1", "always", (80, 443)),
        (TakenPort("https", 443), TakenPort("http", 80)),
    ),
    (Redirected(443, 8443), Redirected(443, 8443, "udp"), Redirected(80, 8080)),
)
RESTORE = Restore("before-r7", "shop-prod-db-1", ("shop",), "20261121_0412")

PLANS: dict[str, Callable[[], Plan]] = {
    "first_deploy": lambda: plan_deploy(release(1), observed(), slots=(1,)),
    "update": lambda: plan_deploy(release(7), observed(release(6)), slots=(2,)),
    "update_with_warm": lambda: plan_deploy(
        release(7), observed(release(6), warm=(release(5),)), slots=(2,)
    ),
    "incompatible_migration": lambda: plan_deploy(
        release(7, jobs=INCOMPATIBLE), observed(release(6)), slots=(2,)
    ),
    "smoke_and_after_switch_job": lambda: plan_deploy(
        release(7, smoke=(SmokeSpec("/login"),), jobs=(WARM_CACHE,)),
        observed(release(6)),
        slots=(2,),
    ),
    "rotated_password": lambda: plan_deploy(
        release(7), observed(release(6), other_passwords=frozenset({"db"})), slots=(2,)
    ),
    "switch_back_with_password": lambda: plan_switch_back(
        release(6),
        observed(release(7), warm=(release(6),), other_passwords=frozenset({"db"})),
        slots=(1,),
    ),
    "suspend": lambda: plan_suspend(observed(release(7))),
    "unsuspend": lambda: plan_unsuspend(
        release(7), replace(observed(release(7)), running=frozenset(), is_in_maintenance=True)
    ),
    "departure": lambda: plan_departure(release(7), observed(release(7)), "export-20261128-120000"),
    "remove_tenant": lambda: plan_remove(
        release(7), observed(release(7)), numbers=(6, 7), backup="final-20261128-120000"
    ),
    "switch_back": lambda: plan_switch_back(
        release(6), observed(release(7), warm=(release(6),)), slots=(1,)
    ),
    "cold_rollback": lambda: plan_start_again(release(5), observed(release(7)), slots=(3,)),
    "state_change": lambda: plan_state_change(
        state_record(release(7), frozenset({"db"})), observed(release(6))
    ),
    "rollback_with_data": lambda: plan_restore(
        release(6), observed(release(7), warm=(release(6),)), RESTORE, slots=(1,)
    ),
    "data_put_back_under_the_live_release": lambda: plan_restore(
        release(6), observed(release(6)), RESTORE, slots=(1,)
    ),
    "bring_back": lambda: plan_bring_back(release(6), observed(None), (RESTORE,), slots=(1,)),
    "rehearse": lambda: plan_deploy(
        release(1, smoke=(SmokeSpec("/login"),), jobs=INCOMPATIBLE),
        observed(),
        slots=(1,),
        verb="rehearse",
        restores=(replace(RESTORE, point="copy-20261121-db"),),
    ),
    "ship_behind_the_page": lambda: plan_deploy(
        release(7), observed(release(6)), slots=(2,), verb="ship", is_closed=True
    ),
    "copy": lambda: plan_copy(
        SHOP, release(6).with_role(Role.STATE), observed(release(6)), "copy-20261121"
    ),
    "retire": lambda: plan_retire(
        release(6), observed(release(7), warm=(release(6),)), "its warm time is over"
    ),
    "adopt": lambda: plan_adopt(adopted_release(), observed(), slots=(1,)),
    "give_back": lambda: plan_give_back(
        adopted_release(),
        observed(adopted_release(), warm=(after_adoption(1),)),
        numbers=(0, 1),
        stopped=("id-old-beat-1",),
    ),
    "deploy_over_adopted": lambda: plan_deploy(
        after_adoption(1), observed(adopted_release()), slots=(2,)
    ),
    "deploy_beside_the_owners_proxy": lambda: plan_deploy(
        after_adoption(2),
        observed(after_adoption(1), warm=(adopted_release(),), bypass=PASSED),
        slots=(2,),
    ),
    "incompatible_beside_the_owners_proxy": lambda: plan_deploy(
        replace(after_adoption(1), jobs=INCOMPATIBLE),
        observed(adopted_release(), bypass=PASSED),
        slots=(2,),
    ),
    "back_to_adopted": lambda: plan_switch_back(
        adopted_release(), observed(after_adoption(1), warm=(adopted_release(),)), slots=(1,)
    ),
    "cold_rollback_to_adopted": lambda: plan_start_again(
        adopted_release(), observed(after_adoption(2)), slots=(3,)
    ),
    "retire_adopted": lambda: plan_retire(
        adopted_release(),
        observed(after_adoption(1), warm=(adopted_release(),)),
        "its warm time is over",
    ),
    "hand_over": lambda: plan_hand_over(adopted_release(), observed(adopted_release()), *TAKEN),
    "hand_back": lambda: plan_hand_back(adopted_release(), observed(adopted_release()), *TAKEN),
    "maintenance": lambda: plan_maintenance(observed(release(7)), is_on=True),
    "destroy": lambda: plan_destroy(observed(release(7)), numbers=(7,), removes_volumes=True),
}


@pytest.mark.parametrize("name", sorted(PLANS))
def test_a_plan_prints_like_a_release_note(name: str) -> None:
    plan = PLANS[name]()
    check_plan(plan)
    path = FOLDER / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(render_plan(plan))
    assert render_plan(plan) == path.read_text()
