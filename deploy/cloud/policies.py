"""Azure Policy: the policies that are assigned to the workspace, and what they would refuse.

`checkPolicyRestrictions` evaluates policies of the Resource Manager. Policies in a mode of the Machine Learning service
are evaluated by that service, so the check does not see them. Initiatives are not opened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from deploy.cloud import policy_violations, response_schemas
from deploy.cloud.connect import Cloud
from deploy.cloud.error_translation import try_read
from deploy.domain.arm import Json
from deploy.domain.digests import digest

_ASSIGNMENTS, _CHECK = "2023-04-01", "2023-03-01"
"""The api-versions of policies, and of checkPolicyRestrictions."""
DATA_MODE = "microsoft.machinelearningservices."
"""The start of a mode that the Machine Learning service evaluates, in lower case."""
_BUILT_IN_DATA = frozenset({"12e5dd16-d201-47ff-849b-8454061c293d", "19539b54-c61e-4196-9a38-67598701be90"})
"""Built-in definitions in such a mode (approved registry models, restricted registries)."""
_MOST = 5
"""Custom definitions that are read; the mode of further ones is unknown."""


def read_assigned(cloud: Cloud) -> list[Json]:
    """{id, title, mode} of each enforced assignment that applies to the workspace; `mode` is "" for the Resource
    Manager, and null with `unread` if it is unknown. Read once inside `cached_reads`.
    """
    found: list[Json] = cloud.arm.once(f"policies of {cloud.workspace_id}", lambda: _read_assigned(cloud))
    return found


def _read_assigned(cloud: Cloud) -> list[Json]:
    path, what = f"{cloud.workspace_id}/providers/Microsoft.Authorization/policyAssignments", "list policy assignments"
    schema = response_schemas.PolicyAssignment
    rows = cloud.arm.list(path, _ASSIGNMENTS, what, schema, **{"$filter": "atScope()"})
    enforced = [row for row in rows if str(row["properties"].get("enforcementMode")).lower() != "donotenforce"]
    ids = list(dict.fromkeys(str(row["properties"]["policyDefinitionId"]) for row in enforced))
    custom = [each for each in ids if "/policydefinitions/" in each.lower() and not _is_built_in(each)]
    modes = {each: _mode(cloud, each, read=custom.index(each) < _MOST if each in custom else False) for each in ids}
    return [
        {
            "id": row["id"],
            "title": row["properties"].get("displayName") or row["name"],
            **modes[str(row["properties"]["policyDefinitionId"])],
        }
        for row in enforced
    ]


def _is_built_in(definition: str) -> bool:
    return definition.lower().startswith("/providers/microsoft.authorization/")


def _mode(cloud: Cloud, definition: str, *, read: bool) -> dict[str, Json]:
    """{mode, unread} of a definition: known for built-in ones and initiatives, otherwise read."""
    if _is_built_in(definition) or "/policysetdefinitions/" in definition.lower():
        return {"mode": DATA_MODE if definition.rsplit("/", 1)[-1].lower() in _BUILT_IN_DATA else "", "unread": ""}
    if not read:
        return {"mode": None, "unread": f"only {_MOST} definitions are read"}
    what, schema = "read a policy definition", response_schemas.PolicyDefinition
    body, why = try_read(lambda: cloud.arm.get(definition, _ASSIGNMENTS, what, schema))
    mode = str((body or {}).get("properties", {}).get("mode") or "").lower()
    unread = why or ("" if body else "its definition does not exist")
    return {"mode": None if unread else mode if mode.startswith(DATA_MODE) else "", "unread": unread}


def read_denials(cloud: Cloud, ask: Mapping[str, Json], assigned: Sequence[Json]) -> list[Json]:
    """{words, fields, names} of each policy that denies a resource; `names`: only resources with these names.

    `ask` is {type, scope, content, names}. Resources with the same content are asked about once inside `cached_reads`,
    whatever their parent: a policy that is assigned to one endpoint only is not seen then.
    """
    key = digest({name: value for name, value in ask.items() if name != "scope"})
    answer = cloud.arm.once(f"policy restrictions {key}", lambda: _check(cloud, ask))
    titles = {str(row["id"]).lower(): str(row["title"]) for row in assigned}
    return [*_evaluations(answer, titles), *_restrictions(answer, titles)]


def _check(cloud: Cloud, ask: Mapping[str, Json]) -> Json:
    group = cloud.workspace_id.partition("/providers/")[0]
    content = {**ask["content"], "type": ask["type"]}
    body = {
        "resourceDetails": {"resourceContent": content, "apiVersion": "2024-10-01", "scope": ask["scope"]},
        "pendingFields": [{"field": "name", "values": list(ask["names"])}],
    }
    path = f"{group}/providers/Microsoft.PolicyInsights/checkPolicyRestrictions"
    return cloud.arm.post(path, _CHECK, "check policies", response_schemas.Restrictions, body)


def _evaluations(answer: Json, titles: Mapping[str, str]) -> Iterator[Json]:
    for row in (answer.get("contentEvaluationResult") or {}).get("policyEvaluations") or ():
        effect = str((row.get("effectDetails") or {}).get("policyEffect") or "")
        if effect.lower() == "deny" and str(row.get("evaluationResult") or "").lower() == "noncompliant":
            details = row.get("evaluationDetails") or {}
            info = {**_info(row.get("policyInfo") or {}, titles), "evaluationDetails": details}
            expressions = details.get("evaluatedExpressions") or ()
            fields = [str(each.get("path") or each.get("expression") or "") for each in expressions]
            yield {"words": policy_violations.in_words(info), "fields": fields, "names": None}


def _restrictions(answer: Json, titles: Mapping[str, str]) -> Iterator[Json]:
    """Denials of names, which are the only field that is asked about without a value."""
    for each in answer.get("fieldRestrictions") or ():
        for row in each.get("restrictions") or ():
            if str(row["result"]).lower() == "deny" and each["field"].lower() == "name":
                words = policy_violations.in_words(_info(row.get("policy") or {}, titles))
                reason = str(row.get("reason") or "").rstrip(". ")
                yield {"words": f"{words}: {reason}" if reason else words, "fields": [], "names": row.get("values")}


def _info(ids: Mapping[str, Json], titles: Mapping[str, str]) -> dict[str, Json]:
    assignment = str(ids.get("policyAssignmentId") or "")
    name = titles.get(assignment.lower()) or str(ids.get("policyDefinitionId") or "").rsplit("/", 1)[-1]
    return {"policyDefinitionDisplayName": name or "(without a name)", "policyAssignmentId": assignment}
