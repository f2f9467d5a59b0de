import { useTitle } from "../ui/hooks";
import { Heading } from "../ui/parts";
import { Gate } from "../ui/PublicFrame";

export function NotFound() {
  useTitle("Not found");
  return (
    <Gate>
      <header>
        <h1>Not found</h1>
        <p className="soft">There is no such page here.</p>
      </header>
      <a className="button primary" href="/">To the start</a>
    </Gate>
  );
}

/** A host below ours that no organization has. */
export function NobodyHere() {
  useTitle("Not found");
  return (
    <Gate>
      <header>
        <h1>Nobody is here</h1>
        <p className="soft">No organization has the address {window.location.hostname}.</p>
      </header>
    </Gate>
  );
}

export function NotInside() {
  return (
    <div className="content">
      <Heading title="Not found" />
      <p className="soft">There is no such page here.</p>
    </div>
  );
}
