from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from tests.builders import SHOP, release
from tests.unit.engine.worlds import World, empty_world

from berthmaster.domain.domainpolicy import DomainPolicy
from berthmaster.domain.errors import NotAllowed, NotFound
from berthmaster.domain.names import StackId
from berthmaster.domain.probing import Fetched
from berthmaster.domain.routing import HostClaim
from berthmaster.domain.tenancy import WELL_KNOWN, Domain, Proof
from berthmaster.ports.certificates import HeldCertificate
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Silence
from berthmaster.services.domains.names import (
    NewDomain,
    add_domain,
    make_primary,
    move_domain,
    prove_domain,
    remove_domain,
    warm_certificate,
)
from berthmaster.services.roll_back import roll_back
from berthmaster.services.route_table import compare_tables, wanted_table
from berthmaster.services.tenants.addresses import refuse_taken
from berthmaster.testing.certificates import FakeCertificates
from berthmaster.testing.host import FakeHost
from berthmaster.testing.prober import FakeProber

POLICY = DomainPolicy("shop.test", may_be_custom=True)


@dataclass
class Scene:
    """A pooled shop that serves, and its surroundings."""

    world: World = field(default_factory=empty_world)
    host: FakeHost = field(default_factory=FakeHost)

    @property
    def outside(self) -> Outside:
        return replace(self.world.outside, host=self.host)

    @property
    def prober(self) -> FakeProber:
        assert isinstance(self.world.outside.prober, FakeProber)
        return self.world.outside.prober

    async def add(self, host: str, tenant: str = "acme", **more: bool) -> bool:
        added = await add_domain(self.outside, NewDomain(host, SHOP, tenant, **more), POLICY)
        return added.is_routed

    async def hosts(self) -> set[str]:
        return {item.host for item in (await self.outside.router.table()).hosts}


@pytest.fixture
async def scene() -> Scene:
    made = Scene()
    await made.world.deploy(release(1, hosts=("www.shop-app.test",)))
    made.world.router.history.clear()
    made.world.engine.calls.clear()
    return made


@pytest.mark.requirement("R156")
async def test_adding_a_domain_is_a_row_and_an_entry_of_the_map(scene: Scene) -> None:
    assert await scene.add("acme.shop.test")
    assert "acme.shop.test" in await scene.hosts()
    assert scene.world.router.history == ["claim acme.shop.test"]
    assert scene.world.engine.calls == []  # no container, no process
    row = scene.outside.store.domain("acme.shop.test")
    assert row is not None
    assert (row.is_primary, row.is_custom) == (True, False)
    assert await scene.add("acme.shop.test")  # the same again is fine


@pytest.mark.parametrize("host", ["www.shop.test", "acme.staging.shop.test", "a.b.shop.test"])
async def test_a_name_that_breaks_the_policy_is_refused(scene: Scene, host: str) -> None:
    with pytest.raises(NotAllowed, match=host):
        await scene.add(host)
    assert scene.outside.store.domains() == ()


async def test_a_name_of_somebody_else_is_refused(scene: Scene) -> None:
    claim = HostClaim("https", "blog.example.org", "blog-prod")
    await scene.outside.router.claim_hosts([claim], fence=1)
    with pytest.raises(NotAllowed, match="belongs to blog-prod"):
        await scene.add("blog.example.org", is_vouched=True)
    await scene.add("acme.shop.test")
    with pytest.raises(NotAllowed, match="belongs to acme"):
        await scene.add("acme.shop.test", "other")


async def test_a_customers_own_domain_is_routed_when_its_owner_has_shown_it(scene: Scene) -> None:
    assert not await scene.add("shop.acme.de")
    assert "shop.acme.de" not in await scene.hosts()
    with pytest.raises(NotAllowed, match=r"_berthmaster.shop.acme.de has no TXT record") as refused:
        await prove_domain(scene.outside, "shop.acme.de")
    row = scene.outside.store.domain("shop.acme.de")
    assert row is not None
    assert row.token in str(refused.value.next_command)
    scene.host.text_records["_berthmaster.shop.acme.de"] = ("v=spf1", row.token)
    await prove_domain(scene.outside, "shop.acme.de")
    assert "shop.acme.de" in await scene.hosts()
    assert (await prove_domain(scene.outside, "shop.acme.de")).note == "it is routed already"


async def test_a_proof_counts_only_for_whoever_has_the_name_when_it_is_found(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS takes seconds, and the name may change hands meanwhile."""
    assert not await scene.add("shop.acme.de")
    first = scene.outside.store.domain("shop.acme.de")
    assert first is not None

    async def slowly(name: str, *, timeout_seconds: float) -> tuple[str, ...]:
        await remove_domain(scene.outside, "shop.acme.de")
        assert not await scene.add("shop.acme.de", "rival")
        return (first.token,)

    monkeypatch.setattr(FakeHost, "texts", lambda _, name, **limits: slowly(name, **limits))
    with pytest.raises(NotAllowed, match="has changed hands"):
        await prove_domain(scene.outside, "shop.acme.de")
    row = scene.outside.store.domain("shop.acme.de")
    assert row is not None
    assert (row.tenant, row.proof) == ("rival", Proof.PENDING)
    assert "shop.acme.de" not in await scene.hosts()


MARK = "0123456789abcdef" * 2


@pytest.mark.parametrize("shown", ["token", "mark"])
async def test_a_proof_over_http_is_the_token_or_that_the_name_leads_here(
    scene: Scene, shown: str
) -> None:
    assert not await scene.add("shop.acme.de")
    row = scene.outside.store.domain("shop.acme.de")
    assert row is not None
    scene.host.names["shop.acme.de"] = ("198.51.100.9", "93.184.216.34")
    text = row.token if shown == "token" else MARK
    scene.prober.pages["93.184.216.34", WELL_KNOWN] = Fetched(200, f"{text}\n")
    assert (await prove_domain(scene.outside, "shop.acme.de")).is_routed
    assert "shop.acme.de" in await scene.hosts()
    assert [(item.address, item.port, item.host) for item in scene.prober.fetched] == [
        ("93.184.216.34", 80, "shop.acme.de")  # 198.51.100.9 is for documents only
    ]


@pytest.mark.parametrize(
    ("status", "body"), [(404, MARK), (302, MARK), (200, ""), (200, "0" * 32), (200, MARK[:-1])]
)
async def test_another_answer_over_http_proves_nothing(
    scene: Scene, status: int, body: str
) -> None:
    await scene.add("shop.acme.de")
    scene.host.names["shop.acme.de"] = ("93.184.216.34",)
    scene.prober.pages["93.184.216.34", WELL_KNOWN] = Fetched(status, body)
    with pytest.raises(NotAllowed, match="without its token"):
        await prove_domain(scene.outside, "shop.acme.de")
    assert "shop.acme.de" not in await scene.hosts()


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.5", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1"),
        *("::1", "fe80::1", "fd00::1", "::ffff:10.0.0.5", "224.0.0.1"),
    ],
)
async def test_dns_of_a_customer_makes_nobody_ask_a_private_address(
    scene: Scene, address: str
) -> None:
    await scene.add("shop.acme.de")
    scene.host.names["shop.acme.de"] = (address,)
    scene.prober.pages[address, WELL_KNOWN] = Fetched(200, MARK)
    with pytest.raises(NotAllowed, match="no public address"):
        await prove_domain(scene.outside, "shop.acme.de")
    assert scene.prober.fetched == []


async def test_an_address_of_this_machine_may_be_private(scene: Scene) -> None:
    await scene.add("shop.acme.de")
    scene.host.own_addresses = frozenset({"10.0.0.5"})
    scene.host.names["shop.acme.de"] = ("10.0.0.5",)
    scene.prober.pages["10.0.0.5", WELL_KNOWN] = Fetched(200, MARK)
    assert (await prove_domain(scene.outside, "shop.acme.de")).is_routed


async def test_what_the_owner_can_do_is_said(scene: Scene) -> None:
    added = await add_domain(scene.outside, NewDomain("shop.acme.de", SHOP, "acme"), POLICY)
    for words in (
        f'_berthmaster.shop.acme.de "{added.domain.token}"',
        "http://shop.acme.de/.well-known/berthmaster",
        "berth domain prove shop.acme.de",
    ):
        assert words in added.note


async def test_another_tokens_record_proves_nothing(scene: Scene) -> None:
    await scene.add("shop.acme.de")
    scene.host.text_records["_berthmaster.shop.acme.de"] = ("0" * 32, "")
    with pytest.raises(NotAllowed):
        await prove_domain(scene.outside, "shop.acme.de")
    with pytest.raises(NotAllowed, match="not proven"):
        await make_primary(scene.outside, "shop.acme.de")


async def test_an_operator_may_vouch_for_a_domain(scene: Scene) -> None:
    assert await scene.add("shop.acme.de", is_vouched=True, is_primary=True)
    row = scene.outside.store.domain("shop.acme.de")
    assert row is not None
    assert (row.proof, row.is_primary) == (Proof.NONE, True)


async def test_a_removed_domain_is_not_answered_and_its_certificate_goes(scene: Scene) -> None:
    await scene.add("acme.shop.test")
    certificates = scene.outside.certificates
    assert isinstance(certificates, FakeCertificates)
    now = scene.outside.clock.now()
    certificates.certificates["acme.shop.test"] = HeldCertificate(
        "acme.shop.test", ("acme.shop.test",), "CN=test", now, now + timedelta(days=90)
    )
    await remove_domain(scene.outside, "acme.shop.test")
    assert "acme.shop.test" not in await scene.hosts()
    assert certificates.held() == ()
    with pytest.raises(NotFound):
        await remove_domain(scene.outside, "acme.shop.test")


async def test_the_primary_domain_of_several_is_not_removed(scene: Scene) -> None:
    await scene.add("acme.shop.test")
    await scene.add("acme2.shop.test")
    with pytest.raises(NotAllowed, match="primary domain of acme"):
        await remove_domain(scene.outside, "acme.shop.test")
    await make_primary(scene.outside, "acme2.shop.test")
    await remove_domain(scene.outside, "acme.shop.test")
    assert [item.is_primary for item in scene.outside.store.domains()] == [True]


async def test_a_domain_moves_to_another_tenant_of_the_environment(scene: Scene) -> None:
    await scene.add("acme.shop.test")
    (moved,) = await move_domain(scene.outside, "acme.shop.test", SHOP, "other")
    assert (moved.tenant, moved.is_primary) == ("other", True)
    with pytest.raises(NotAllowed, match="stays within shop@prod"):
        await move_domain(scene.outside, "acme.shop.test", StackId("blog", "prod"), None)


async def test_an_apex_and_its_www_are_added_for_one_tenant_only(scene: Scene) -> None:
    await scene.add("acme.de", is_vouched=True)
    with pytest.raises(NotAllowed, match=r"acme.de is acme's, and both are one customer's"):
        await scene.add("www.acme.de", "other", is_vouched=True)
    assert await scene.add("www.acme.de", is_vouched=True)
    assert await scene.add("www2.acme.de", "other", is_vouched=True)  # a name like any other


async def test_a_new_tenant_does_not_get_the_other_half_of_somebodys_pair(scene: Scene) -> None:
    await scene.add("acme.de", is_vouched=True)
    wanted = Domain("www.acme.de", StackId("shop", "prod", "zeta"), "zeta", is_custom=True)
    with pytest.raises(NotAllowed, match=r"both are one customer's \[apex\]"):
        await refuse_taken(scene.outside, "https", (wanted,))


async def test_an_apex_and_its_www_move_together(scene: Scene) -> None:
    await scene.add("acme.de", is_vouched=True)
    await scene.add("www.acme.de", is_vouched=True)
    moved = await move_domain(scene.outside, "www.acme.de", SHOP, "other")
    assert [(item.host, item.tenant) for item in moved] == [
        ("www.acme.de", "other"),
        ("acme.de", "other"),
    ]
    assert [item.is_primary for item in moved] == [False, True]  # as it was
    assert {"acme.de", "www.acme.de"} <= await scene.hosts()


async def test_a_pair_with_the_primary_domain_of_others_stays(scene: Scene) -> None:
    for host in ("acme.de", "www.acme.de", "acme.shop.test"):
        await scene.add(host, is_vouched=True)
    with pytest.raises(NotAllowed, match=r"acme.de is the primary domain of acme"):
        await move_domain(scene.outside, "www.acme.de", SHOP, "other")


async def test_a_certificate_comes_ahead_when_dns_points_here(scene: Scene) -> None:
    await scene.add("acme.shop.test")
    row = scene.outside.store.domain("acme.shop.test")
    assert row is not None
    assert "DNS says nowhere" in await warm_certificate(scene.outside, row)
    scene.host.names["acme.shop.test"] = ("192.0.2.1",)
    assert isinstance(scene.outside.prober, FakeProber)
    assert "no certificate yet" in await warm_certificate(scene.outside, row)


async def test_a_customers_domain_of_a_shared_stack_outlives_releases_and_rollbacks(
    scene: Scene,
) -> None:
    assert await scene.add("acme.shop.test")
    await scene.world.deploy(release(2, hosts=("www.shop-app.test", "new.shop-app.test")))
    assert await scene.hosts() == {"acme.shop.test", "www.shop-app.test", "new.shop-app.test"}
    await roll_back(scene.outside, SHOP, Silence())
    assert await scene.hosts() == {"acme.shop.test", "www.shop-app.test"}
    found = await scene.outside.router.table()
    assert not compare_tables(wanted_table(scene.outside, found), found)
