import { badArgument } from '../errors.js'

/**
 * How the states of a document become one vector:
 *
 * - `'final'`: the final states of the last layer;
 * - `'notebook-last'`: the output at the last token, as in the course notebook;
 * - `'max'`, `'mean'`: the maximum or the mean over the tokens;
 * - `'concat'`: final states, maximum and mean side by side.
 */
export type Pooling = 'final' | 'notebook-last' | 'max' | 'mean' | 'concat'
export const poolings = [
  'final',
  'notebook-last',
  'max',
  'mean',
  'concat',
] as const satisfies readonly Pooling[]

/** @throws PackedRnnError ERR_INVALID_ARGUMENT if the name is unknown. */
export function poolingName(name: string): Pooling {
  const found = poolings.find(pooling => pooling === name)
  if (found === undefined) throw badArgument('pooling', 'name', poolings.join(', '), name)
  return found
}
