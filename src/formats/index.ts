/**
 * Reads and writes weights as safetensors files, with the names and shapes of PyTorch's state dicts.
 * @module
 */
export { type HostTensor, readSafetensors, type Safetensors, writeSafetensors } from './safetensors.js'
export { loadStateDict, saveStateDict } from './stateDict.js'
