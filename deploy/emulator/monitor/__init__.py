"""Azure Monitor (Microsoft.Insights): autoscale settings, the engine that runs them, and metrics."""
