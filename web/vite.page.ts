import type { UserConfig } from 'vite';

/**
 * Build settings of every page here. The pages run under `script-src 'self'`, so nothing is
 * inlined, and no file is fetched from anywhere else. File names carry the hash of their content.
 */
export const pageConfig: UserConfig = {
    base: '/',
    build: {
        target: 'es2022',
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
        reportCompressedSize: true,
        emptyOutDir: true,
    },
};
