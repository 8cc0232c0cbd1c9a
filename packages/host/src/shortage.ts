import { systemCodeOf } from '@appfactory/sdk/internal'

/** What the system says where it lacks something for a moment, or a disk or network does: nothing about the file itself. */
const transientCodes = new Set([
  'EMFILE',
  'ENFILE',
  'EAGAIN',
  'EBUSY',
  'EINTR',
  'EIO',
  'ENOMEM',
  'ESTALE',
  'ETIMEDOUT',
])

/** Whether another try may succeed though nobody corrects anything. */
export function isShortage(error: unknown): boolean {
  return transientCodes.has(systemCodeOf(error) ?? '')
}
