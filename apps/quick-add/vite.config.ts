import { svelte, vitePreprocess } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';
import { pageConfig } from '../../web/vite.page';

export default defineConfig({ ...pageConfig, plugins: [svelte({ preprocess: vitePreprocess() })] });
