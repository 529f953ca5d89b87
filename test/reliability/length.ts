/** Whether this is `npm run test:reliability`; `npm test` runs a short form of the same. */
export const long = process.env.PACKED_RNN_RELIABILITY === 'long'

/** How many of something a test does: in `npm test`, and in `npm run test:reliability`. */
export function many(short: number, inLongForm: number): number {
  return long ? inLongForm : short
}
