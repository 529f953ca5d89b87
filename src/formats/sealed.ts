import { createHash } from 'node:crypto'
import { badFile } from '../errors.js'
import { type HostTensor, type Safetensors, writeSafetensors } from './safetensors.js'

/**
 * Safetensors with a checksum in its metadata, over all that whoever reads it is given: names, shapes, data, and the
 * other metadata. Other readers of the format find one more entry there.
 */

const CHECKSUM = 'sha256'

/** `writeSafetensors` with a checksum. @throws as that. */
export function writeSealed(
  entries: readonly (HostTensor & { name: string })[],
  metadata: Record<string, string>,
): Uint8Array {
  return writeSafetensors(entries, { ...metadata, [CHECKSUM]: digest(entries, metadata) })
}

/** @throws PackedRnnError ERR_FILE_FORMAT where what was read is not what `writeSealed` wrote. */
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
  // Lengths come with the shapes: no two contents are one sequence of bytes.
  hash.update(JSON.stringify([metadata, entries.map(({ name, dtype, shape }) => [name, dtype, shape])]))
  for (const { data } of entries) hash.update(data)
  return hash.digest('hex')
}
