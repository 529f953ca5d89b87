/**
 * Optimisers and gradient clipping as in torch.optim, and learning rate schedules.
 * @module
 */

export type { ClipGradNormOptions } from '../ops/clip.js'
export { Adagrad, type AdagradOptions, type AdagradStateName } from './adagrad.js'
export { Adam, type AdamOptions, type AdamStateName, AdamW } from './adam.js'
export { ASGD, type AsgdOptions, type AsgdStateName } from './asgd.js'
export { AveragedSGD, type AveragedSgdOptions } from './averagedSgd.js'
export { clipGradNorm, clipGradValue } from './clip.js'
export { type CycledGroup, OneCycle, type OneCycleOptions } from './oneCycle.js'
export type { Grouped, Optimizer, ParameterGroup } from './optimizer.js'
export { RMSprop, type RmspropOptions, type RmspropStateName } from './rmsprop.js'
export { Scheduler, type SchedulerState } from './scheduler.js'
export { cosineAnnealing, oneCycle, type Schedule, slantedTriangular, stepDecay } from './schedules.js'
export { SGD, type SgdOptions, type SgdStateName } from './sgd.js'
export type { Group, OptimizerState, Parameter } from './state.js'
