"""Autoscale settings: separate resources, one for a deployment at most, that outlive the deployment they scale.

With `scale` in pipeline.yml the setting is ours (owner tag) and follows the traffic: every deployment that receives
traffic has one. A setting without our tag is not changed, unless `scale.adopt` is set; a rollout away from its
deployment is refused. Whatever scales a deployment is deleted with it. `planning.autoscaling` chooses the place of the
steps among the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from deploy.cloud import autoscale_and_tags, endpoints
from deploy.cloud.connect import Cloud
from deploy.diff import autoscale_settings
from deploy.domain.arm import OWNER_TAG, Address, Facts, Json, address, facts_of
from deploy.domain.owners import is_unmanaged, owner_in_words, owner_tag
from deploy.domain.plan import Desired, Step, Verb
from deploy.domain.report import Evidence
from deploy.domain.spec import SHORT_RETRY, EndpointSpec
from deploy.domain.traffic_shares import positive, served, shares
from deploy.errors import CloudError, Finding, Refused
from deploy.preflight import permissions as rights

NAME = "autoscale"
NEEDS_CORES = True
OUTLIVES_ENDPOINT = True
Settings = Mapping[str, Mapping[str, Json]]
"""Deployment -> the setting that scales it, as a fact."""


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:
    """What `settings` returns. Not read for a new endpoint without `scale`, which has no deployment to scale."""
    is_new = spec.name not in endpoints.list_endpoints(cloud)
    return {} if is_new and spec.pipeline.scale is None else settings(cloud, spec)


def settings(cloud: Cloud, spec: EndpointSpec) -> Facts:
    """`autoscale/<key>/<deployment>`: {id, name, target, tags, enabled, profiles} of what scales a deployment, also if
    the deployment no longer exists.
    """
    return {
        address(NAME, spec.key, autoscale_settings.slot_of(row)): autoscale_settings.described(row)
        for row in autoscale_and_tags.scaling(cloud, spec.name)
    }


def plan(desired: Desired | None, facts: Facts) -> Sequence[Step]:
    """A setting for each deployment that gets traffic, and none for the others; for a deletion, none at all."""
    if desired is None:
        why = "it scales a deployment that is deleted"
        return [delete(where, body, why) for where, body in sorted(facts.items()) if where.kind == NAME]
    if findings := [*unread(desired.spec, facts), *_findings(desired, facts)]:
        raise Refused(findings)
    return follow_traffic(desired, facts)


def delete(where: Address, body: Mapping[str, Json], why: str) -> Step:
    """The deletion of a setting with its deployment, also if another client created it."""
    return Step(Verb.DELETE, where, {"id": body["id"]}, why, SHORT_RETRY)


def unread(spec: EndpointSpec, facts: Facts) -> list[Finding]:
    """A finding if the files have `scale` and the caller cannot list the settings: ours could stay where it is."""
    answer = facts.get(address("permission", spec.key, "workspace")) or {}
    if spec.pipeline.scale is None or answer.get("settings", True):
        return []
    cause = f"the files have `scale`, and the caller lacks {rights.AUTOSCALE_READ[0]} on the resource group"
    return [Finding(str(address(NAME, spec.key)), "AML250", cause, "Assign Reader on the resource group to the caller")]


def follow_traffic(desired: Desired, facts: Facts, *, keep: bool = False) -> list[Step]:
    """The steps that leave one setting on each deployment with traffic.

    `keep`: our settings move with the traffic also if `scale` is no longer in the files. Without it they are deleted.
    """
    spec, there = desired.spec, facts_of(facts, NAME, desired.spec.key)
    if spec.pipeline.scale is None and not keep:
        why = "`scale` is no longer in pipeline.yml"
        return [_remove(spec, name, body, why) for name, body in there.items() if not is_unmanaged(spec.owner, body)]
    targets = positive(desired.traffic)
    written = [step for name in sorted(targets) if (step := _write(desired, there, name))]
    idle = [name for name in sorted(there.keys() - targets.keys()) if _moves(desired, facts, name, there[name])]
    return written + [
        _remove(spec, name, there[name], f"{name} receives no traffic then", must_have_no_traffic=True) for name in idle
    ]


def recreated(spec: EndpointSpec, exported: Sequence[Json], facts: Facts, steps: Sequence[Step]) -> Sequence[Step]:
    """Steps that create the exported settings that neither exist nor are created by `steps`. Ours only if the files
    still have `scale`.
    """
    known = {*facts, *(step.address for step in steps)}
    return [
        Step(Verb.CREATE, where, {"setting": row}, "it was exported", spec.retry)
        for row in exported
        if (where := address(NAME, spec.key, autoscale_settings.slot_of(row))) not in known
        if spec.pipeline.scale is not None or is_unmanaged(spec.owner, row)
    ]


def fails_alone(step: Step) -> bool:
    """A setting that is deleted with its deployment: without it, it does nothing and costs nothing."""
    return step.verb is Verb.DELETE and "name" not in step.body


def is_done(cloud: Cloud, step: Step) -> bool:
    """Whether the setting is as a step of a rescue leaves it."""
    what, body = f"{step.verb} {step.address}", step.body
    if step.verb is Verb.DELETE:
        return autoscale_and_tags.read_autoscale(cloud, _own_id(cloud, body), what=what) is None
    there = _read(cloud, str(body["endpoint"]), what).get(str(body["name"]))
    return there is not None and not list(_different(body, autoscale_settings.described(there)))


def undone(spec: EndpointSpec, step: Step, facts: Facts, like: str) -> Step:
    """The step of a rescue that reverts a step of `follow_traffic`. `like`: the deployment whose setting has a copy of
    the notifications.
    """
    before = facts.get(step.address)
    if before is None:
        gone = {name: step.body[name] for name in ("endpoint", "name", "tag")}
        why = "created for a release that failed"
        return Step(Verb.DELETE, step.address, {**gone, "before": None, "must_have_no_traffic": True}, why, SHORT_RETRY)
    body = _body(spec, step.address.name, before, before, owner_tag(before), like)
    more = {"id": before["id"], "before": spec.owner}  # the owner tag that the step may have written
    return Step(Verb.UPDATE, step.address, {**body, **more}, "as it was", SHORT_RETRY)


def unexplained(step: Step, body: Json) -> Iterator[str]:
    """Fields of a setting that are not as a step leaves them."""
    if step.verb is not Verb.DELETE and "profiles" in step.body:
        yield from _different(step.body, body)


def permissions(spec: EndpointSpec, step: Step) -> tuple[str, Sequence[str]]:  # noqa: ARG001 as every step type
    """Needed on the resource group."""
    return "resource_group", rights.AUTOSCALE_DELETE if step.verb is Verb.DELETE else rights.AUTOSCALE_WRITE


def run(cloud: Cloud, step: Step) -> Evidence | None:
    what, body = f"{step.verb} {step.address}", step.body
    if "setting" in body:
        autoscale_and_tags.put_autoscale(cloud, body["setting"], what=what)
        return None
    if "name" not in body:
        autoscale_and_tags.delete_autoscale(cloud, str(body["id"]), what=what)
        return None
    return (_delete if step.verb is Verb.DELETE else _put)(cloud, body, what)


def _delete(cloud: Cloud, body: Mapping[str, Json], what: str) -> Evidence | None:
    there = autoscale_and_tags.read_autoscale(cloud, str(body.get("id") or _own_id(cloud, body)), what=what)
    if there is None:
        return Evidence("it is already deleted")
    _require_same_owner(body, there, what)
    above = endpoints.read_endpoint(cloud, str(body["endpoint"])) or {} if body["must_have_no_traffic"] else {}
    if body["name"] in shares(above):
        cause = f"{body['name']} receives traffic, so its autoscale setting stays"
        if body["before"] is None:  # a rescue that did not move the traffic, as another run has
            return Evidence(cause)
        raise CloudError(what, cause, "Plan again; nothing was deleted", code="AML319")
    autoscale_and_tags.delete_autoscale(cloud, str(there["id"]), what=what)
    return None


def _require_same_owner(body: Mapping[str, Json], there: Json, what: str) -> None:
    """Raises CloudError if the setting was created or taken over by others after the plan was made."""
    if owner_tag(there) not in (body["tag"], body["before"]):
        cause = f"autoscale setting {there['name']} changed after the plan was made: it {owner_in_words(there)}"
        raise CloudError(what, cause, "It was not changed. Plan again", code="AML234")


def _own_id(cloud: Cloud, body: Mapping[str, Json]) -> str:
    """The ARM id of the setting that we create for a deployment."""
    endpoint, name = str(body["endpoint"]), str(body["name"])
    target = endpoints.deployment_path(cloud, endpoint, name)
    return autoscale_and_tags.autoscale_id(cloud, autoscale_settings.name_for(endpoint, name, target))


def _read(cloud: Cloud, endpoint: str, what: str) -> dict[str, Json]:
    """Deployment -> the ARM body of its setting."""
    rows = autoscale_and_tags.autoscale_settings(cloud)
    if rows is None:
        cause = "the caller lacks permission to list the autoscale settings"
        raise CloudError(what, cause, "Assign Reader on the resource group to the caller", code="AML250")
    own = autoscale_and_tags.settings_of_endpoint(rows, endpoints.endpoint_path(cloud, endpoint))
    return {autoscale_settings.slot_of(row): row for row in own}


def _put(cloud: Cloud, body: Mapping[str, Json], what: str) -> Evidence | None:
    endpoint, name = str(body["endpoint"]), str(body["name"])
    rows = _read(cloud, endpoint, what)
    there = rows.get(name)
    if there:
        _require_same_owner(body, there, what)
        if not list(_different(body, autoscale_settings.described(there))):
            return Evidence("it is already like that")
    where = str(there["id"] if there else body.get("id") or _own_id(cloud, body))
    location = str((there or {}).get("location") or cloud.workspace()["location"])
    target = endpoints.deployment_path(cloud, endpoint, name)
    setting = autoscale_settings.body_for(target, location, body, there or rows.get(str(body["like"])))
    autoscale_and_tags.put_autoscale(cloud, {"id": where, **setting}, what=what)
    return None


def _different(body: Mapping[str, Json], existing: Mapping[str, Json]) -> Iterator[str]:
    if not autoscale_settings.is_same(body, existing):
        yield "profiles"
    if owner_tag(existing) != body["tag"]:
        yield f"tags.{OWNER_TAG}"


def _write(desired: Desired, there: Settings, name: str) -> Step | None:
    """The step that creates or changes the setting of one deployment; None where nothing is to be done."""
    spec, scale, existing = desired.spec, desired.spec.pipeline.scale, there.get(name)
    if existing and not _is_managed(spec, existing):
        return None
    live = str(desired.live) if desired.live != name and _is_managed(spec, there.get(str(desired.live))) else ""
    wanted = there.get(live) or existing
    if scale and scale.min is not None:
        wanted = {"enabled": True, "profiles": autoscale_settings.profiles_of(scale)}
    if wanted is None:
        return None
    body = _body(spec, name, wanted, existing, spec.owner, live)
    where, words = address(NAME, spec.key, name), autoscale_settings.in_words(wanted)
    if existing is None:
        words += f", as on {live}" if wanted is there.get(live) else ""
        return Step(Verb.CREATE, where, body, words, SHORT_RETRY)
    if not list(_different(body, existing)):
        return None
    words += f"; setting {existing['name']} is adopted" if is_unmanaged(spec.owner, existing) else ""
    return Step(Verb.UPDATE, where, body, words, SHORT_RETRY)


def _body(
    spec: EndpointSpec, name: str, wanted: Mapping[str, Json], existing: Mapping[str, Json] | None, tag: str, like: str
) -> dict[str, Json]:
    """`tag`: the owner tag to write; `before`: the one at the time of the plan, None without a setting; `like`: the
    deployment with the notifications to copy.
    """
    before = None if existing is None else owner_tag(existing)
    content = {"enabled": wanted["enabled"], "profiles": wanted["profiles"]}
    return {"endpoint": spec.name, "name": name, **content, "tag": tag, "before": before, "like": like}


def _remove(
    spec: EndpointSpec, name: str, body: Mapping[str, Json], why: str, *, must_have_no_traffic: bool = False
) -> Step:
    known = {"endpoint": spec.name, "name": name, "id": body["id"], "tag": spec.owner, "before": owner_tag(body)}
    return Step(
        Verb.DELETE,
        address(NAME, spec.key, name),
        {**known, "must_have_no_traffic": must_have_no_traffic},
        why,
        SHORT_RETRY,
    )


def _is_managed(spec: EndpointSpec, setting: Mapping[str, Json] | None) -> bool:
    """Whether a setting exists that is ours, or that the files adopt."""
    adopts = spec.pipeline.scale is not None and spec.pipeline.scale.adopt
    return setting is not None and (adopts or not is_unmanaged(spec.owner, setting))


def _moves(desired: Desired, facts: Facts, name: str, setting: Mapping[str, Json]) -> bool:
    """Whether the setting of a deployment without traffic is deleted. One that is only adopted is, if its deployment is
    a slot that we choose, or loses its traffic.
    """
    if not _is_managed(desired.spec, setting):
        return False
    loses = desired.chooses_slots or name in served(facts, desired.spec.key)
    return loses or not is_unmanaged(desired.spec.owner, setting)


def _findings(desired: Desired, facts: Facts) -> list[Finding]:
    """Settings that are not ours and would stay on a slot without traffic, or are where ours is to be."""
    spec, there, after = desired.spec, facts_of(facts, NAME, desired.spec.key), positive(desired.traffic)
    left = served(facts, spec.key).keys() - after.keys() if desired.chooses_slots else set()
    taken = after.keys() if spec.pipeline.scale else set()
    return [
        _unmanaged(spec, name, body, stays=name in left)
        for name, body in sorted(there.items())
        if name in left | taken and not _is_managed(spec, body)
    ]


def _unmanaged(spec: EndpointSpec, name: str, body: Mapping[str, Json], *, stays: bool) -> Finding:
    file = f"{spec.folder}/pipeline.yml"
    cause = f"autoscale setting {body['name']} scales {name} and {owner_in_words(body)}"
    cure = f"Add adopt: true to `scale` in {file}"
    if stays:
        cause += "; it would stay on this deployment without traffic, and the new one would not be scaled"
    if spec.pipeline.scale is None:
        cure = f"Add `scale: {{adopt: true}}` to {file} to carry it over, with min and max to replace its content"
    cure += ", or use `rollout: {strategy: in_place}`" if stays else ""
    return Finding(str(address(NAME, spec.key, name)), "AML234", cause, cure)
