import { PluginError } from '@appfactory/sdk'

export function nodeLeaving(node: string): PluginError {
  return new PluginError(
    'PLUGIN_NOT_READY',
    `Node "${node}" is about to leave the cluster. Use another one`,
    {
      node,
      draining: true,
    },
  )
}

export function pluginNotOnNode(node: string, plugin: string): PluginError {
  return new PluginError('PLUGIN_NOT_FOUND', `Node "${node}" has not loaded a plugin "${plugin}"`, {
    node,
    plugin,
  })
}

/** Another node may run it now. */
export function leaseOver(node: string, plugin: string): PluginError {
  return new PluginError(
    'PLUGIN_CRASHED',
    `Node "${node}" may run plugin "${plugin}" no more: its lease was over. Try again: another node takes it`,
    { node, plugin, lost: 'node' },
  )
}

/** @param isSilent Whether it is there, and does not answer. */
export function nameTaken(node: string, namespace: string, isSilent = false): PluginError {
  const advice = isSilent
    ? 'It does not answer: end its process, or take another name'
    : 'Take another name, or drain that node first'
  return new PluginError(
    'PLUGIN_NOT_READY',
    `Another node of namespace "${namespace}" has the name "${node}" already. ${advice}`,
    { node },
  )
}

export function notAllowed(operation: 'publish' | 'subscription', subject: string): PluginError {
  const what = operation === 'publish' ? 'publish to' : 'subscribe to'
  return new PluginError(
    'CALL_FORBIDDEN',
    `NATS does not allow this user to ${what} ${subject}. Use credentials that may, or change the permissions of the user`,
    { subject },
  )
}

export function nobodyAnswers(node: string, timeoutMs: number): PluginError {
  return new PluginError(
    'PLUGIN_NOT_READY',
    `Node "${node}" has not opened a link in ${timeoutMs} ms. Try again`,
    {
      node,
      lost: 'node',
    },
  )
}

export function nodeNotThere(node: string): PluginError {
  return new PluginError(
    'PLUGIN_NOT_READY',
    `Node "${node}" is not there. List the nodes: appfactory-host nodes`,
    {
      node,
      lost: 'node',
    },
  )
}

export function notConnectedNow(): PluginError {
  return new PluginError('PLUGIN_NOT_READY', 'The connection to NATS is lost at the moment. Try again', {
    lost: 'link',
  })
}
