import { createHash } from 'node:crypto'
import { badFile } from '../errors.js'
import { type HostTensor, type Safetensors, writeSafetensors } from './safetensors.js'

/**
 * Safetensors with a checksum in the metadata. It covers everything `readSafetensors` returns: names, dtypes, shapes, data
 * and the other metadata. Other readers of the format see one additional metadata entry.
 */

const CHECKSUM = 'sha256'

/** Like `writeSafetensors`, with a checksum. @throws PackedRnnError as `writeSafetensors`. */
export function writeSealed(
  entries: readonly (HostTensor & { name: string })[],
  metadata: Record<string, string>,
): Uint8Array {
  return writeSafetensors(entries, { ...metadata, [CHECKSUM]: digest(entries, metadata) })
}

/** Compares the content with its checksum. @throws PackedRnnError ERR_FILE_FORMAT if they differ. */
export function checkSeal({ tensors, metadata }: Safetensors, file: string): void {
  const { [CHECKSUM]: written = 'none', ...rest } = metadata
  const entries = [...tensors].map(([name, tensor]) => ({ name, ...tensor }))
  const found = digest(entries, rest)
  if (written !== found) throw badFile(file, null, `content of ${CHECKSUM} ${written}`, found)
}

function digest(
  entries: readonly (HostTensor & { name: string })[],
  metadata: Record<string, string>,
): string {
  const hash = createHash('sha256')
  // The shapes include the lengths, so different contents never hash the same bytes.
  hash.update(JSON.stringify([metadata, entries.map(({ name, dtype, shape }) => [name, dtype, shape])]))
  for (const { data } of entries) hash.update(data)
  return hash.digest('hex')
}
