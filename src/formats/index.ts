/**
 * Reads and writes weights as safetensors files, with the names and shapes of PyTorch's state dicts, and reads PyTorch's own
 * files, those of fast.ai, and HDF5.
 * @module
 */
export { type FastaiLanguageModel, fastaiLanguageModel } from './fastai.js'
export { type Hdf5File, readHdf5 } from './hdf5.js'
export { readPickle } from './pickle.js'
export { type HostTensor, readSafetensors, type Safetensors, writeSafetensors } from './safetensors.js'
export { loadStateDict, saveStateDict } from './stateDict.js'
export { readTorch, readTorchFile, type TorchFile, type TorchFormat } from './torch.js'
