"""Azure Monitor (Microsoft.Insights): autoscale settings, and the engine that runs them."""
