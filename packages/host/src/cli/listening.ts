import { describeThrown, systemCodeOf } from '@appfactory/sdk/internal'

/** Where a server was to listen, and the flags that say so. */
interface Place {
  port: number
  address: string
  flags: { port: string; address: string }
}

/** Why a server can’t listen, and what to do. */
export function whyNotListening(error: unknown, { port, address, flags }: Place): string {
  switch (systemCodeOf(error)) {
    case 'EADDRINUSE':
      return `Port ${port} on ${address} is in use; choose another ${flags.port}, or 0 for any free port`
    case 'EACCES':
      return `Port ${port} on ${address} is not allowed for this user; choose a ${flags.port} above 1023`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${flags.address} ${address} is no address of this machine; 127.0.0.1 is for this machine only, 0.0.0.0 for all networks`
    default:
      return `Port ${port} on ${address} can’t be listened on: ${describeThrown(error).message}`
  }
}
