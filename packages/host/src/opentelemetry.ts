// Spans of hosts and of plugins are made in the same way.
export { instrument } from '@appfactory/sdk/opentelemetry'
