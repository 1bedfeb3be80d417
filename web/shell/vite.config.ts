export { pageConfig as default } from '../vite.page';
