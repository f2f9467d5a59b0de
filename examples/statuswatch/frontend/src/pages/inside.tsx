import { Route, Switch } from "wouter";
import { Alerts } from "./Alerts";
import { Dashboard } from "./Dashboard";
import { EndpointPage } from "./EndpointPage";
import { EditEndpoint, NewEndpoint } from "./EndpointForm";
import { Incidents } from "./Incidents";
import { Keys } from "./Keys";
import { Maintenance } from "./Maintenance";
import { NotInside } from "./NotFound";
import { PlanPage } from "./PlanPage";

export default function Pages() {
  return (
    <Switch>
      <Route path="/app" component={Dashboard} />
      <Route path="/app/endpoints/new" component={NewEndpoint} />
      <Route path="/app/endpoints/:id">{({ id }) => <EndpointPage id={id} />}</Route>
      <Route path="/app/endpoints/:id/edit">{({ id }) => <EditEndpoint id={id} />}</Route>
      <Route path="/app/incidents" component={Incidents} />
      <Route path="/app/maintenance" component={Maintenance} />
      <Route path="/app/alerts" component={Alerts} />
      <Route path="/app/keys" component={Keys} />
      <Route path="/app/plan" component={PlanPage} />
      <Route component={NotInside} />
    </Switch>
  );
}
