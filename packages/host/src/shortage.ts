import { systemCodeOf } from '@appfactory/sdk/wire'

const shortages = new Set(['EMFILE', 'ENFILE', 'EAGAIN', 'ENOMEM', 'EIO'])

/** Whether a system lacked something for the moment, so that another try may succeed. */
export function isShortage(error: unknown): boolean {
  return shortages.has(systemCodeOf(error) ?? '')
}
