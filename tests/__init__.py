"""Tests of whole programs. They run as modules, from the root: python3 -m tests.blackbox.first_app_test"""
