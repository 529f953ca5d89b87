export { Adam, type AdamOptions } from './adam.js'
export { clipGradNorm } from './clip.js'
export { SGD } from './sgd.js'
