/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_IPC_H
#define PROCTOR_SUPERVISOR_IPC_H

/* The System V IPC objects that the tool made (handle_ipc.c). NULL when memory is out. */
struct ipc_objects;
struct ipc_objects *ipc_objects_new(void);

/* Removes those that are still there: no other run could use them. NULL is fine. */
void ipc_objects_free(struct ipc_objects *objects);

#endif
