/** The tape's ops in float64, under one name: `exact.softmax(x)`. */
export * from './arrayAttention.js'
export * from './arrayNorms.js'
export * from './arrayProducts.js'
export * from './arrayReductions.js'
export * from './arraySequences.js'
export * from './arrayShapes.js'
export * from './arrays.js'
