// The official SDK, as it comes from npm, against a running hub: HUB_URL and HUB_API_KEY say which.

import assert from "node:assert/strict";
import { test } from "node:test";
import FormbricksHub from "@formbricks/hub";

let requests = [];

const hub = new FormbricksHub({
  apiKey: process.env.HUB_API_KEY,
  baseURL: process.env.HUB_URL,
  fetch: (url, init) => {
    requests.push(`${init.method.toUpperCase()} ${url}`);
    return fetch(url, init);
  },
});

const impatient = hub.withOptions({ maxRetries: 0 });

const ABSENT = "01900000-0000-7000-8000-000000000000";

function answer(overrides) {
  return {
    source_type: "survey",
    field_id: "nps",
    field_type: "nps",
    value_number: 9,
    tenant_id: "sdk",
    submission_id: "s1",
    ...overrides,
  };
}

function own(t) {
  return `sdk ${t.name}`;
}

test("health", async () => {
  assert.equal(await hub.health.check(), "OK");
});

test("a record is created, read, changed, deleted", async (t) => {
  const body = answer({
    tenant_id: own(t),
    collected_at: "2026-01-02T03:04:05.5+01:00",
    language: "en",
    metadata: { b: 1, a: [1, { c: null }] },
  });
  const created = await hub.feedbackRecords.create(body);
  assert.match(created.id, /^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  assert.equal(created.created_at, created.updated_at);
  const expected = { ...body, collected_at: "2026-01-02T02:04:05.5Z" };
  for (const [name, value] of Object.entries(expected)) assert.deepEqual(created[name], value, name);
  assert.deepEqual(await hub.feedbackRecords.retrieve(created.id), created);

  const updated = await hub.feedbackRecords.update(created.id, { value_number: 3, language: null });
  assert.equal(updated.value_number, 3);
  assert.ok(!("language" in updated));
  assert.ok(updated.updated_at > created.updated_at);
  assert.deepEqual(updated.metadata, created.metadata);

  await hub.feedbackRecords.delete(created.id);
  await assert.rejects(hub.feedbackRecords.retrieve(created.id), FormbricksHub.NotFoundError);
  await assert.rejects(hub.feedbackRecords.delete(created.id), FormbricksHub.NotFoundError);
});

test("a duplicate is a conflict at once: the SDK does not try again", async (t) => {
  const first = await hub.feedbackRecords.create(answer({ tenant_id: own(t) }));
  requests = [];
  await assert.rejects(hub.feedbackRecords.create(answer({ tenant_id: own(t), value_number: 1 })), (error) => {
    assert.ok(error instanceof FormbricksHub.ConflictError);
    assert.equal(error.error.code, "conflict");
    assert.equal(error.error.details.id, first.id);
    return true;
  });
  assert.equal(requests.length, 1);
});

test("filters, one value and several, as the SDK sends them", async (t) => {
  const tenant_id = own(t);
  const rows = [
    { field_id: "a", field_type: "nps", value_number: 9, user_id: "u1", language: "en" },
    { field_id: "b", field_type: "csat", value_number: 4, user_id: "u2", language: "de" },
    { field_id: "c", field_type: "text", value_number: undefined, value_text: "fine", source_id: "f,1" },
    { field_id: "d", field_type: "date", value_number: undefined, value_date: "2026-03-01T00:00:00Z" },
  ];
  for (const [day, row] of rows.entries()) {
    await hub.feedbackRecords.create(answer({ tenant_id, collected_at: `2026-01-0${day + 1}T00:00:00Z`, ...row }));
  }
  const found = async (query) => {
    const page = await hub.feedbackRecords.list({ tenant_id, order: "asc", ...query });
    const { count } = await hub.feedbackRecords.count({ tenant_id, ...query });
    assert.equal(count, page.data.length);
    return page.data.map((record) => record.field_id).join("");
  };
  assert.equal(await found({}), "abcd");
  requests = [];
  assert.equal(await found({ field_type: ["nps", "csat"] }), "ab");
  assert.match(requests[0], /field_type=nps%2Ccsat/);
  assert.equal(await found({ field_type: ["text"] }), "c");
  assert.equal(await found({ user_id: ["u2"] }), "b");
  assert.equal(await found({ source_id: ["f,1"] }), "c");
  assert.equal(await found({ language: ["en"], field_type: ["nps", "text"] }), "a");
  assert.equal(await found({ submission_id: ["s1"], source_type: ["survey"] }), "abcd");
  assert.equal(await found({ since: "2026-01-02T00:00:00Z", until: "2026-01-03T00:00:00Z" }), "bc");
  assert.equal(await found({ created_since: "2026-01-01T00:00:00Z" }), "abcd");
  assert.equal(await found({ value_number_min: 4, value_number_max: 4.5 }), "b");
  assert.equal(await found({ value_date_min: "2026-02-01T00:00:00Z", value_date_max: "2026-03-01T00:00:00Z" }), "d");
  assert.equal(await found({ has_sentiment: false, has_emotions: false, has_translation: false }), "abcd");
  assert.equal(await found({ sentiment: ["positive", "negative"] }), "");
  assert.equal(await found({ emotions: ["joy", "fear"] }), "");
  assert.equal(await found({ sentiment_score_min: -1, sentiment_score_max: 1 }), "");
  await assert.rejects(found({ value_number_min: 5, value_number_max: 4 }), FormbricksHub.BadRequestError);
});

test("pages follow each other until there is no cursor", async (t) => {
  const tenant_id = own(t);
  for (let number = 0; number < 7; number++) {
    await hub.feedbackRecords.create(answer({ tenant_id, submission_id: `s${number}` }));
  }
  for (const query of [{}, { order: "asc" }, { sort: "created_at" }, { sort: "created_at", order: "asc" }]) {
    const seen = [];
    let cursor;
    do {
      const page = await hub.feedbackRecords.list({ tenant_id, limit: 3, cursor, ...query });
      assert.equal(page.limit, 3);
      seen.push(...page.data.map((record) => record.submission_id));
      cursor = page.next_cursor;
    } while (cursor);
    assert.equal(seen.length, 7);
    assert.equal(new Set(seen).size, 7);
  }
});

test("a user is erased in one tenant, then everywhere", async (t) => {
  const [here, there] = [own(t), `${own(t)} too`];
  const user_id = "u 1";
  for (const [tenant_id, submission_id] of [[here, "s1"], [here, "s2"], [there, "s1"]]) {
    await hub.feedbackRecords.create(answer({ tenant_id, submission_id, user_id }));
  }
  const erased = await hub.feedbackRecords.bulkDelete({ user_id, tenant_id: here });
  assert.deepEqual(erased, { deleted_count: 2, message: "Successfully deleted 2 feedback records" });
  assert.equal((await hub.feedbackRecords.count({ tenant_id: there })).count, 1);
  assert.equal((await hub.feedbackRecords.bulkDelete({ user_id })).deleted_count, 1);
  assert.equal((await hub.feedbackRecords.bulkDelete({ user_id })).deleted_count, 0);
});

test("every kind of refusal is the SDK's error of that kind, with the problem in it", async () => {
  await assert.rejects(hub.feedbackRecords.create({ source_type: "survey" }), (error) => {
    assert.ok(error instanceof FormbricksHub.BadRequestError);
    assert.equal(error.error.code, "validation");
    assert.deepEqual(
      error.error.invalid_params.map((fault) => fault.name),
      ["field_id", "field_type", "tenant_id", "submission_id"],
    );
    return true;
  });
  await assert.rejects(hub.feedbackRecords.list({}), FormbricksHub.BadRequestError);
  await assert.rejects(hub.feedbackRecords.retrieve("a/b"), FormbricksHub.BadRequestError);
  await assert.rejects(hub.feedbackRecords.update(ABSENT, { value_number: 1 }), FormbricksHub.NotFoundError);
  const stranger = hub.withOptions({ apiKey: "wrong" });
  await assert.rejects(stranger.feedbackRecords.list({ tenant_id: "sdk" }), FormbricksHub.AuthenticationError);
});

test("a tenant is purged", async () => {
  const purged = await hub.tenants.deleteData("a/b");
  assert.equal(purged.tenant_id, "a/b");
  assert.equal(purged.deleted_feedback_records, 0);
  assert.equal((await hub.tenants.purgeFeedbackRecords("a/b")).status, "accepted");
});

const notBuilt = {
  "semantic search": () => impatient.feedbackRecords.search.performSemanticSearch({ query: "slow", tenant_id: "sdk" }),
  similar: () => impatient.feedbackRecords.retrieveSimilar(ABSENT, { limit: 3 }),
  "webhook list": () => impatient.webhooks.list({ tenant_id: "sdk" }),
  "webhook create": () => impatient.webhooks.create({ url: "https://example.com/", tenant_id: "sdk" }),
  "webhook delete": () => impatient.webhooks.delete(ABSENT),
  "tenant settings": () => impatient.tenants.settings.retrieve("a/b"),
  "tenant settings update": () => impatient.tenants.settings.update("a/b", { sentiment_enabled: true }),
  "enrichment status": () => impatient.enrichmentStatus.retrieve({ tenant_id: "sdk" }),
  taxonomy: () => impatient.taxonomy.listFields({ tenant_id: "sdk" }),
};

for (const [name, call] of Object.entries(notBuilt)) {
  test(`what is not built says so: ${name}`, async () => {
    await assert.rejects(call(), (error) => {
      assert.ok(error instanceof FormbricksHub.InternalServerError, String(error));
      assert.equal(error.status, 503);
      assert.equal(error.error.code, "service_unavailable");
      return true;
    });
  });
}

test("what is not built is not asked for again", async () => {
  requests = [];
  await assert.rejects(hub.webhooks.list(), FormbricksHub.InternalServerError);
  assert.equal(requests.length, 1);
});
