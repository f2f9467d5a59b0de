"""Use cases, one verb a file; they observe, ask the planner and hand the plan to the engine."""
