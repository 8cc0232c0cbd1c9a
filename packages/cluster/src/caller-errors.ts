import { isPluginError, PluginError } from '@appfactory/sdk'
import { describeThrown, listed, quoted, shortened } from '@appfactory/sdk/internal'

// The wording of a caller's errors: what happened, to which plugin on which node, and what to do next.

/** What went with a worker: the node with its processes, or only the way to it. */
export type Lost = 'node' | 'link'

/** The worker of a call is gone, and nobody knows what became of the call. */
export function workerLost(plugin: string, node: string, lost: Lost, reason: string): PluginError {
  return new PluginError(
    'PLUGIN_CRASHED',
    `Plugin "${plugin}" on node ${node} can’t be reached any more: ${shortened(reason, 1000)}. Try again: another node may serve it`,
    { plugin, node, lost },
  )
}

/** The process of a plugin has ended on a node that is still there. */
export function crashedOn(node: string, { message, data }: PluginError): PluginError {
  return new PluginError('PLUGIN_CRASHED', `${message} (on node ${node})`, { ...Object(data), node })
}

export function callLate(plugin: string, node: string, method: string, timeoutMs: number): PluginError {
  return new PluginError(
    'CALL_TIMEOUT',
    `Plugin "${plugin}" on node ${node}: ${shortened(method)} took longer than ${timeoutMs} ms and was cancelled. Set a longer timeout, or send a smaller request`,
    { plugin, node, timeout_ms: timeoutMs },
  )
}

/** @param reason A sentence without its full stop. */
export function noWorker(plugin: string, timeoutMs: number, reason: string): PluginError {
  return new PluginError(
    'CALL_TIMEOUT',
    `Plugin "${plugin}": no node took the call within ${timeoutMs} ms. ${reason}`,
    { plugin, timeout_ms: timeoutMs },
  )
}

export function notDescribed(plugin: string, node: string, timeoutMs: number): PluginError {
  return new PluginError(
    'CALL_TIMEOUT',
    `Node ${node} did not describe plugin "${plugin}" within ${timeoutMs} ms. Look at its log, or raise connectTimeoutMs`,
    { plugin, node, timeout_ms: timeoutMs, lost: 'link' },
  )
}

/** A link was opened to another run of a node than the one that is meant. */
export function otherRun(node: string): PluginError {
  return new PluginError('PLUGIN_NOT_READY', `Node ${node} was started again, or has a namesake. Try again`, {
    node,
  })
}

/** No node that is there has it. */
export function onNoNode(plugin: string, nodes: readonly string[], known: readonly string[]): PluginError {
  const loaded = known.length > 0 ? `Loaded: ${listed(known)}` : 'None of them has any plugin loaded'
  const asked =
    nodes.length === 0
      ? ': no node is there. Start one, or check the namespace'
      : `; ${listed([...nodes].sort())} ${nodes.length === 1 ? 'was' : 'were'} asked. ${loaded}`
  return new PluginError('PLUGIN_NOT_FOUND', `No node has plugin ${quoted(plugin)} loaded${asked}`, {
    plugin: shortened(plugin),
    nodes,
  })
}

/** It was loaded on nodes that go on without it. */
export function unloadedEverywhere(plugin: string, nodes: readonly string[]): PluginError {
  return new PluginError(
    'PLUGIN_NOT_READY',
    `Plugin "${plugin}" was unloaded on every node (${listed(nodes)}). Load it on one of them first`,
    { plugin, nodes },
  )
}

export function clusterClosed(plugin?: string): PluginError {
  return new PluginError(
    'PLUGIN_NOT_READY',
    'The cluster is closed: this caller has left it',
    plugin === undefined ? undefined : { plugin },
  )
}

export function noActivePlugin(contract: string, contracts: readonly string[]): PluginError {
  const hint =
    contracts.length > 0 ? `There is ${listed(contracts)}` : 'No node of the cluster has a plugin loaded'
  return new PluginError('CONTRACT_NOT_FOUND', `No node provides the contract ${quoted(contract)}. ${hint}`, {
    contract: shortened(contract),
  })
}

/** Each node has folders of its own. */
export function pathOnNodes(path: string): PluginError {
  return new PluginError(
    'INVALID_PARAMS',
    `new_plugin_path: nodes have folders of their own, and take names only, not ${quoted(path)}. Put the plugin into their folders, and give its name as "new"`,
    { path: shortened(path) },
  )
}

export function noSuchNode(node: string, nodes: readonly string[]): PluginError {
  const there = nodes.length > 0 ? `There is ${listed([...nodes].sort())}` : 'No node is there'
  return new PluginError('INVALID_PARAMS', `The cluster has no node ${quoted(node)}. ${there}`, {
    node: shortened(node),
    nodes,
  })
}

/** Some nodes have done it, and one could not. */
export function stoppedAt(
  what: string,
  failed: string,
  done: readonly string[],
  cause: unknown,
): PluginError {
  const before = done.length > 0 ? `done on ${listed(done)}` : 'nothing is changed'
  const [code, data] = isPluginError(cause) ? [cause.code, cause.data] : ['INTERNAL_ERROR' as const, {}]
  return new PluginError(
    code,
    `${what} stopped at node ${failed}: ${describeThrown(cause).message}; ${before}`,
    { ...Object(data), node: failed, nodes: done },
    { cause },
  )
}

/** A node went while it was asked to change something. */
export function nodeLost(node: string): PluginError {
  return new PluginError(
    'PLUGIN_CRASHED',
    `Node ${node} has closed the link before it answered. Look at what it has loaded before you try again`,
    { node, lost: 'node' },
  )
}

/** It did not end by itself, so that its calls in flight may not have either. */
export function lostInDrain(node: string, reason: string): PluginError {
  return new PluginError(
    'PLUGIN_CRASHED',
    `Node ${node} was lost while it drained: ${shortened(reason, 1000)}. Its calls in flight may have failed`,
    { node, lost: 'node' },
  )
}

/** Of a change that has stopped: nodes that had been changed before are as they were. */
export function rolledBack(error: unknown, nodes: readonly string[]): unknown {
  if (!isPluginError(error)) return error
  const { code, message, data } = error
  const back = nodes.length > 0 ? `; rolled back on ${listed(nodes)}` : ''
  return new PluginError(code, `${message}${back}`, { ...Object(data), rolled_back: nodes }, { cause: error })
}
