import '@locara/sdk/base.css';
import './ui/app.css';
import { mount } from 'svelte';
import { Board } from './lib/board.svelte';
import { Store } from './lib/store';
import App from './ui/App.svelte';

const target = document.getElementById('app');
if (target === null) throw new Error('no element app');
const board = new Board(Store.open(() => window.localStorage));
mount(App, { target, props: { board } });
board.start();
