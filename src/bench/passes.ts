/**
 * The timed passes: a forward pass; a training step whose loss reads the mean of all states, so every state has a gradient;
 * and a training step whose loss reads only the last states.
 */
export const passes = ['forward', 'step', 'stepLast'] as const
export type Pass = (typeof passes)[number]
export type StepPass = Exclude<Pass, 'forward'>

/** How a document's states are pooled. */
export type BenchPooling = 'mean' | 'final'

export const poolingOf = { step: 'mean', stepLast: 'final' } as const satisfies Record<StepPass, BenchPooling>
