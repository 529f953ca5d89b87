import { badArgument } from '../errors.js'

/**
 * From a document's states to one vector: the last states, the output at the last token as the notebook takes it, the
 * largest numbers, their mean, or last states, largest and mean side by side.
 */
export type Pooling = 'final' | 'notebook-last' | 'max' | 'mean' | 'concat'
export const poolings = [
  'final',
  'notebook-last',
  'max',
  'mean',
  'concat',
] as const satisfies readonly Pooling[]

/** @throws PackedRnnError ERR_INVALID_ARGUMENT for an unknown name. */
export function poolingName(name: string): Pooling {
  const found = poolings.find(pooling => pooling === name)
  if (found === undefined) throw badArgument('pooling', 'name', poolings.join(', '), name)
  return found
}
