import { queryOptions, useMutation, useQueryClient, type UseMutationResult } from "@tanstack/react-query";
import { api, open } from "./client";
import type {
  Alert,
  AlertChannel,
  ApiToken,
  Billing,
  Endpoint,
  History,
  Host,
  Incident,
  MaintenanceWindow,
  Me,
  Page,
  Period,
  Status,
} from "./types";

const EVERY = 30_000; // as often as the smallest interval could change something worth seeing
const PAGE = 200; // the most that a page of the API's lists takes

export const hostQuery = queryOptions({
  queryKey: ["host"],
  queryFn: () => open<Host>("GET", "/api/host/"),
  staleTime: Number.POSITIVE_INFINITY,
});

export const statusQuery = queryOptions({
  queryKey: ["status"],
  queryFn: () => open<Status>("GET", "/api/status/"),
  refetchInterval: EVERY,
});

export const meQuery = queryOptions({ queryKey: ["me"], queryFn: () => api<Me>("GET", "/api/auth/me/") });

export const endpointsQuery = queryOptions({
  queryKey: ["endpoints"],
  queryFn: () => all<Endpoint>("/api/endpoints/"),
  // Many pages are asked for less often: a person has 1000 requests an hour.
  refetchInterval: (query) => EVERY * Math.max(1, Math.ceil((query.state.data?.length ?? 0) / PAGE)),
});

export const endpointQuery = (id: string) =>
  queryOptions({
    queryKey: ["endpoints", id],
    queryFn: () => api<Endpoint>("GET", `/api/endpoints/${encodeURIComponent(id)}/`),
    refetchInterval: EVERY,
  });

export const historyQuery = (id: string, period: Period) =>
  queryOptions({
    queryKey: ["endpoints", id, "history", period],
    queryFn: () => api<History>("GET", `/api/endpoints/${encodeURIComponent(id)}/history/?period=${period}`),
    refetchInterval: EVERY,
    placeholderData: (previous) => previous,
  });

export const incidentsQuery = queryOptions({
  queryKey: ["incidents"],
  queryFn: () => api<Page<Incident>>("GET", "/api/incidents/"),
  refetchInterval: EVERY,
});

export const openIncidentsQuery = queryOptions({
  queryKey: ["incidents", "open"],
  queryFn: () => api<Page<Incident>>("GET", "/api/incidents/?open=true"),
  refetchInterval: EVERY,
});

export const windowsQuery = queryOptions({
  queryKey: ["windows"],
  queryFn: () => all<MaintenanceWindow>("/api/maintenance-windows/"),
});

export const channelsQuery = queryOptions({
  queryKey: ["channels"],
  queryFn: () => all<AlertChannel>("/api/alert-channels/"),
});

export const alertsQuery = queryOptions({
  queryKey: ["alerts"],
  queryFn: () => api<Page<Alert>>("GET", "/api/alerts/"),
  refetchInterval: EVERY,
});

export const billingQuery = queryOptions({ queryKey: ["billing"], queryFn: () => api<Billing>("GET", "/api/billing/") });

export const tokensQuery = queryOptions({ queryKey: ["tokens"], queryFn: () => all<ApiToken>("/api/api-tokens/") });

/** A change, after which everything that may show it is asked again. */
export function useChange<Given, Answer>(
  change: (given: Given) => Promise<Answer>,
  ...changed: readonly string[]
): UseMutationResult<Answer, Error, Given> {
  const client = useQueryClient();
  return useMutation({
    mutationFn: change,
    onSuccess: () => Promise.all(changed.map((key) => client.invalidateQueries({ queryKey: [key] }))),
  });
}

const MOST_PAGES = 10;

/** Every page of a list. */
async function all<T>(path: string): Promise<T[]> {
  const found: T[] = [];
  for (let number = 1; number <= MOST_PAGES; number += 1) {
    const page = await api<Page<T>>("GET", `${path}?page_size=${PAGE}&page=${number}`);
    found.push(...page.results);
    if (page.next === null) break;
  }
  return found;
}
