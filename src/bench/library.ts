/** The package as users import it, from this checkout or another one. */
export type Library = typeof import('../compat.js')

/** This checkout's package. */
export const OWN_LIBRARY = new URL('../compat.js', import.meta.url).href

/** @param url the URL of a module file */
export async function openLibrary(url: string): Promise<Library> {
  return await import(url)
}

/** The package's models. */
export type Models = typeof import('../models/index.js')

/** @param url the URL of the module file of `openLibrary` */
export async function openModels(url: string): Promise<Models> {
  return await import(new URL('./models/index.js', url).href)
}

/** The package's ways of decoding. */
export type Decoding = typeof import('../decoding/index.js')

/** @param url the URL of the module file of `openLibrary` */
export async function openDecoding(url: string): Promise<Decoding> {
  return await import(new URL('./decoding/index.js', url).href)
}
