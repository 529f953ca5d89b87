import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/**
 * The folder of data that tests read and the repository does not hold: `PACKED_RNN_DATA`, else `../shared/data`
 * beside the checkout. Null if there is no data; a test that needs it is then skipped.
 */
export function dataFolder(): string | null {
  const folder = process.env.PACKED_RNN_DATA ?? fileURLToPath(new URL('../../shared/data', import.meta.url))
  return existsSync(folder) ? folder : null
}
