/* config_value.h - checks of texts in the table of keys; each as config_key.check. */
#ifndef SERVER_CONFIG_VALUE_H
#define SERVER_CONFIG_VALUE_H

#include <stddef.h>

int config_check_codec(const char *text, char *why, size_t why_size);
int config_check_layers(const char *text, char *why, size_t why_size);
int config_check_namespace(const char *text, char *why, size_t why_size);
int config_check_prefix(const char *text, char *why, size_t why_size);  /* or nothing */
int config_check_address(const char *text, char *why, size_t why_size); /* ADDR:PORT */
int config_check_cc(const char *text, char *why, size_t why_size);
int config_check_sched(const char *text, char *why, size_t why_size);

#endif
