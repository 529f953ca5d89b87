/** What a user of the package imports: of this checkout, or of another one. */
export type Library = typeof import('../compat.js')

/** This checkout's. */
export const OWN_LIBRARY = new URL('../compat.js', import.meta.url).href

/** @param url of a file */
export async function openLibrary(url: string): Promise<Library> {
  return await import(url)
}
