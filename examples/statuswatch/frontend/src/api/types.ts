/**
 * What the API takes and answers. Written by hand, and `tests/test_frontend_types.py` compares every field with the API's own
 * description or, where that says only "object", with an answer: one line a field, no nesting.
 */

export interface Page<T> {
  count: number;
  next: string | null;
  previous: string | null;
  results: T[];
}

export interface Host {
  kind: "public" | "organization";
  organization: string;
  public_host: string;
  has_demo: boolean;
  version: string;
}

export type Plan = "free" | "pro" | "canceled";

export interface Tenant {
  tenant_schema: string;
  tenant_name: string;
  tenant_domain: string;
  plan: Plan;
}

export interface User {
  username: string;
  email: string;
}

export interface Tokens {
  access: string;
  refresh: string;
}

export interface Me extends Tenant {
  user: User;
}

export interface LoggedIn extends Tenant {
  access: string;
  refresh: string;
  user: User;
}

export interface TenantChoice {
  multiple_tenants: boolean;
  tenants: Tenant[];
}

export interface Registered extends Tenant {
  email: string;
}

export interface PlanOffer {
  id: Plan;
  name: string;
  price: string;
  endpoint_limit: number | null;
}

export interface Billing {
  plan: Plan;
  status: string;
  is_past_due: boolean;
  current_period_end: string | null;
  cancel_at_period_end: boolean;
  endpoint_limit: number | null;
  endpoint_count: number;
  endpoints_over_limit: number;
  can_manage: boolean;
  plans: PlanOffer[];
}

export interface EndpointFields {
  name: string;
  url: string;
  interval_minutes: number;
  expected_status: string;
  body_contains: string;
  max_latency_ms: number | null;
  min_certificate_days: number | null;
}

export interface Endpoint extends EndpointFields {
  id: string;
  is_paused: boolean;
  paused_by: "" | "person" | "plan";
  last_status: string;
  last_checked_at: string | null;
  last_latency_ms: number | null;
  certificate_expires_at: string | null;
  consecutive_failures: number;
  created_at: string;
}

export interface Bucket {
  at: string;
  checks: number;
  up: number;
  latency_avg_ms: number | null;
  latency_p95_ms: number | null;
}

export type Period = "24h" | "7d" | "30d";

export interface History {
  period: Period;
  buckets: Bucket[];
  uptime: Record<Period, number | null>;
  deploys: DeployMark[];
}

export interface DeployMark {
  id: number;
  name: string;
  version: string;
  marked_at: string;
}

export interface Incident {
  id: number;
  endpoint: string;
  endpoint_name: string;
  cause: string;
  started_at: string;
  resolved_at: string | null;
}

export interface MaintenanceWindow {
  id: number;
  name: string;
  endpoint: string | null;
  starts_at: string;
  ends_at: string;
}

export type ChannelKind = "email" | "webhook";

export interface AlertChannel {
  id: number;
  kind: ChannelKind;
  target: string;
  is_enabled: boolean;
  created_at: string;
}

export interface Alert {
  id: number;
  channel: number;
  incident: number | null;
  event: "down" | "recovered" | "test";
  state: "pending" | "sent" | "failed";
  attempts: number;
  last_error: string;
  created_at: string;
  sent_at: string | null;
}

export interface ApiToken {
  id: number;
  name: string;
  created_at: string;
  last_used_at: string | null;
}

export type State = "up" | "down" | "pending" | "paused";

export interface RecentCheck {
  at: string;
  is_up: boolean;
  latency_ms: number | null;
}

export interface StatusEndpoint {
  id: string;
  name: string;
  state: State;
  latency_ms: number | null;
  uptime: string;
  checked_at: string | null;
  recent: RecentCheck[];
}

export interface StatusIncident {
  endpoint: string;
  cause: string;
  started_at: string;
  resolved_at: string | null;
}

export interface StatusMaintenance {
  name: string;
  starts_at: string;
  ends_at: string;
}

export interface Status {
  organization: string;
  status: "up" | "down";
  endpoints: StatusEndpoint[];
  incidents: StatusIncident[];
  maintenance: StatusMaintenance[];
}
