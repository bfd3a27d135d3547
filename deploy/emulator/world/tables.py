"""The tables of the world file. A change of the tables needs a new SCHEMA_VERSION; older worlds are not opened."""

from __future__ import annotations

from deploy.emulator.world import controls

SCHEMA_VERSION = 8
SCHEMA = (
    controls.SCHEMA
    + """
CREATE TABLE resources (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, parent TEXT NOT NULL,
    name TEXT NOT NULL, location TEXT NOT NULL, body TEXT NOT NULL, private TEXT NOT NULL);
CREATE INDEX resources_of_parent ON resources (parent, kind, number);
CREATE INDEX resources_by_name ON resources (kind, location, name);
CREATE TABLE operations (
    id TEXT PRIMARY KEY, target TEXT NOT NULL, started REAL NOT NULL, due REAL NOT NULL, state TEXT NOT NULL,
    error TEXT, effect TEXT NOT NULL);
CREATE INDEX operations_due ON operations (due) WHERE state = 'Updating';
CREATE INDEX operations_of_target ON operations (target) WHERE state = 'Updating';
CREATE TABLE quotas (
    subscription TEXT, location TEXT, family TEXT, cores INTEGER NOT NULL,
    PRIMARY KEY (subscription, location, family));
CREATE TABLE allocations (
    deployment TEXT PRIMARY KEY, subscription TEXT NOT NULL, location TEXT NOT NULL, family TEXT NOT NULL,
    cores INTEGER NOT NULL);
CREATE INDEX allocations_of_family ON allocations (subscription, location, family);
CREATE TABLE principals (id TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, owner TEXT NOT NULL);
CREATE INDEX principals_of_owner ON principals (owner);
CREATE TABLE role_definitions (id TEXT PRIMARY KEY, name TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE role_assignments (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, scope TEXT NOT NULL, principal TEXT NOT NULL, role TEXT NOT NULL,
    body TEXT NOT NULL);
CREATE INDEX role_assignments_of_principal ON role_assignments (principal);
CREATE INDEX role_assignments_of_scope ON role_assignments (scope);
CREATE TABLE memberships (group_id TEXT NOT NULL, member TEXT NOT NULL, PRIMARY KEY (member, group_id));
CREATE TABLE applications (id TEXT PRIMARY KEY, principal TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE revision (value INTEGER NOT NULL);
INSERT INTO revision VALUES (0);
CREATE TABLE blobs (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, etag TEXT NOT NULL, modified REAL NOT NULL, metadata TEXT NOT NULL,
    properties TEXT NOT NULL, lease TEXT);
CREATE TABLE parts (
    path TEXT, start INTEGER, content BLOB NOT NULL, PRIMARY KEY (path, start));
CREATE TABLE blocks (path TEXT, block TEXT, content BLOB NOT NULL, PRIMARY KEY (path, block));
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE requests (
    number INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL,
    status INTEGER NOT NULL,
    milliseconds REAL NOT NULL, plane TEXT NOT NULL, caller TEXT NOT NULL, operation TEXT NOT NULL,
    mutating INTEGER NOT NULL, client_request_id TEXT NOT NULL, user_agent TEXT NOT NULL,
    target TEXT NOT NULL, note TEXT NOT NULL);
CREATE INDEX requests_of_target ON requests (target, time) WHERE target != '';
"""
)
TRIGGERS = tuple(
    f"CREATE TRIGGER {table}_{event} AFTER {event} ON {table} BEGIN UPDATE revision SET value = random(); END"  # noqa: S608 - constant names
    for table in ("role_assignments", "role_definitions", "memberships", "settings")
    for event in ("INSERT", "UPDATE", "DELETE")
)
"""`revision` changes with every change of roles, groups and settings; a rollback restores it."""
TABLES = (
    "resources", "operations", "quotas", "allocations", "principals", "role_definitions", "role_assignments",
    "memberships", "applications", "settings", "blobs", "parts", "blocks", "counters", "requests", "sqlite_sequence",
    *controls.TABLES,
)  # fmt: skip
